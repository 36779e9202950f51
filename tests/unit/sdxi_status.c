// SPDX-License-Identifier: LGPL-2.1-or-later
/* The names of statuses and states, beside the specification. */
#include <criterion/criterion.h>

#include "base/base.h"
#include "hw/sdxi/status.h"

Test(sdxi_status, bit_31_is_the_error_bit)
{
	cr_expect_str_eq(sdxi_status_key(0), "success");
	cr_expect_str_eq(sdxi_status_key(0x80000000), "error");
	cr_expect_str_eq(sdxi_status_key(0xffffffff), "error");
	cr_expect_str_eq(sdxi_status_key(0x7fffffff), "success");
}

Test(sdxi_status, every_state_has_its_name)
{
	static const char *const names[16] = {
		"stop_sw", "run", "stopg_sw", "0x3", "stop_fn", "0x5", "stopg_fn", "0x7",
		"0x8",     "0x9", "0xa",      "0xb", "0xc",     "0xd", "0xe",      "err_fn",
	};
	char key[SDXI_KEY_BYTES];

	for (uint8_t state = 0; state < ARRAY_SIZE(names); state++)
		cr_expect_str_eq(sdxi_state_key(state, key), names[state], "%u", state);
	cr_expect_str_eq(sdxi_state_key(0xff, key), "0xff");
}
