/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shim's handler of SIGILL and SIGSEGV in front of the program's. The program keeps its
 * handlers: sigaction() and signal() set and report those that the shim calls.
 */
#ifndef SHIM_CHAIN_H
#define SHIM_CHAIN_H

#include <stdbool.h>
#include <ucontext.h>

/* Returns false if the signal is the program's. */
typedef bool (*chain_serve)(int sig, ucontext_t *context);

/* Installs the handler; further calls do nothing. */
void chain_install(chain_serve serve);

#endif
