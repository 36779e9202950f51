# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Debian roots for tests: made by debootstrap, entered by chroot in mounts of their own. Root only.

MIRROR=${FERRY_DEBIAN_MIRROR:-http://deb.debian.org/debian}

# root_make SUITE DIRECTORY
root_make()
{
	debootstrap --variant=minbase "$1" "$2" "$MIRROR" || return
	printf 'force-unsafe-io\n' >"$2/etc/dpkg/dpkg.cfg.d/unsafe-io"
	# No service is started in a root.
	printf '#!/bin/sh\nexit 101\n' >"$2/usr/sbin/policy-rc.d"
	chmod 755 "$2/usr/sbin/policy-rc.d"
}

# root_run DIRECTORY SCRIPT [ARGUMENT]…: a script for sh, in /proc, /dev and /sys of its own.
root_run()
{
	# shellcheck disable=SC2016 # the inner shell expands these
	unshare --mount --fork sh -c '
		root=$1; shift
		mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
			mount --rbind /sys "$root/sys" || exit
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive sh -eu -c "$@"
	' sh "$1" "$2" sh "${@:3}"
}
