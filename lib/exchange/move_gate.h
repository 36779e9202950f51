/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lane's way through `move_gate`. A lane is inside around each UFFDIO_MOVE; the watcher shuts the
 * gate to read and handle events.
 */
#ifndef FERRY_MOVE_GATE_H
#define FERRY_MOVE_GATE_H

#include "base/gate.h"
#include "base/wait.h"
#include "lib/core/context.h"

static inline void move_gate_enter(struct lane *lane)
{
	gate_enter(&lane->ferry->move_gate, lane->door);
}

static inline void move_gate_leave(struct lane *lane)
{
	gate_leave(&lane->ferry->move_gate, lane->door);
}

/*
 * Leaves the gate for a moment. The kernel answers EAGAIN while an event waits to be read, and the
 * watcher can read it only while no lane is inside.
 */
static inline void move_gate_step_outside(struct lane *lane, unsigned int tries)
{
	move_gate_leave(lane);
	step_aside(tries);
	move_gate_enter(lane);
}

#endif
