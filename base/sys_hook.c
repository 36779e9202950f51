// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/sys.h"

#ifdef FERRY_SYS_HOOKS
sys_hook_fn sys_hook;
#endif
