#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds the aarch64 copy kernels with a cross compiler and runs their test under qemu-user.
# Exit status: 0 passed, 1 failed, 77 skipped (also said in TAP, for prove).
set -u
cd "$(dirname "$0")/../.." || exit 1

cross=${AARCH64_CC:-aarch64-linux-gnu-gcc}
qemu=${AARCH64_QEMU:-qemu-aarch64-static}
for tool in "$cross" "$qemu"; do
	if ! command -v "$tool" > /dev/null; then
		echo "1..0 # SKIP $tool is missing: apt-get install gcc-aarch64-linux-gnu qemu-user-static"
		exit 77
	fi
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

echo 1..2
if ! "$cross" -std=gnu17 -Wall -Wextra -Werror -O2 -ffreestanding -nostdlib -static \
	-fno-stack-protector -mno-outline-atomics -I. -o "$work/kernels" \
	tests/unit/aarch64/kernels.c copy/arm.c copy/generic.c; then
	echo "not ok 1 - the aarch64 kernels compile, and call no library"
	exit 1
fi
echo "ok 1 - the aarch64 kernels compile, and call no library"

"$qemu" "$work/kernels"
status=$?
if [ $status -ne 0 ]; then
	echo "# tests/unit/aarch64/kernels.c: line $status, or a signal"
	echo "not ok 2 - they copy exactly what they are asked to"
	exit 1
fi
echo "ok 2 - they copy exactly what they are asked to"
