# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What numa-vm downloads and keeps: kernels, a QEMU, and the result of the KVM probe.
#
# Sourced. The caller provides die() and say(). All files go to $VM_CACHE. Each is built under
# another name, then renamed, under a lock, so that parallel runs neither download twice nor see
# incomplete files. Nothing needs root: packages are only unpacked.

VM_CACHE=${PAGEFERRY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}/pageferry

# The suites that have kernels and QEMU; a suite that the mirror lacks is skipped.
VM_SUITES=${PAGEFERRY_DEBIAN_SUITES:-bookworm bookworm-backports trixie trixie-backports}
VM_QEMU_SUITE=${PAGEFERRY_QEMU_SUITE:-trixie}
VM_QEMU_OLDEST=9

# Runs a command ("${@:2}") while holding the lock $1.
vm_locked()
{
	local name=$1
	shift
	mkdir -p "$VM_CACHE"
	(
		if ! flock -w 2 9; then
			say "waiting for another run that prepares $name"
			flock 9
		fi
		"$@" 9>&-
	) 9>"$VM_CACHE/$name.lock"
}

# Prints the Debian mirror of this machine, as apt's sources give it: this tree names no mirror, and
# a site's proxy or local mirror is used.
vm_mirror()
{
	local site
	if [[ -n ${PAGEFERRY_DEBIAN_MIRROR:-} ]]; then
		printf '%s\n' "${PAGEFERRY_DEBIAN_MIRROR%/}"
		return
	fi
	# shellcheck disable=SC2016  # $(SITE) is for apt
	site=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(TARGET_OF)|$(SITE)' 2>/dev/null |
		sed -n 's/^Debian|Debian|deb|//p' | head -n 1)
	if [[ -z $site ]]; then
		# A machine that never ran "apt-get update" has no index targets, only sources.
		site=$(apt-get update --print-uris 2>/dev/null |
			sed -nE "s#^'([^']*/debian)/dists/[a-z]+(-updates|-backports)?/InRelease'.*#\1#p" |
			head -n 1)
	fi
	[[ -n $site ]] || return 1
	printf '%s\n' "${site%/}"
}

# Runs an apt tool with lists, cache and sources of its own: it neither reads nor changes the
# machine's apt state. The machine's apt configuration (such as a proxy) still applies.
vm_apt()
{
	local tool=$1 a=$VM_CACHE/apt
	shift
	"$tool" -q \
		-o Dir::Etc::SourceList="$a/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State="$a/state" -o Dir::State::Lists="$a/lists" \
		-o Dir::State::status="$a/status" -o Dir::Cache="$a/cache" \
		-o APT::Architecture=amd64 -o APT::Architectures::=amd64 \
		-o APT::Install-Recommends=0 -o Acquire::Languages=none \
		-o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@"
}

vm_apt_refresh()
{
	local a=$VM_CACHE/apt mirror keyring suite
	mirror=$(vm_mirror) ||
		die "found no Debian mirror in apt's sources; set PAGEFERRY_DEBIAN_MIRROR to one"
	keyring=
	for suite in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[[ -r $suite ]] && keyring=$suite && break
	done
	[[ -n $keyring ]] || die "no Debian archive keyring: apt-get install debian-archive-keyring"

	mkdir -p "$a"/{lists/partial,cache/archives/partial,state}
	for suite in $VM_SUITES; do
		printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite"
	done >"$a/sources.new"
	# With an empty status file apt downloads all dependencies, not only those missing here.
	: >"$a/status"
	if ! cmp -s "$a/sources.new" "$a/sources.list" ||
		[[ -z $(find "$a/fresh" -mmin -60 2>/dev/null) ]]; then
		mv "$a/sources.new" "$a/sources.list"
		# A suite that has left the mirror may fail; the callers check for what they need.
		vm_apt apt-get update >"$a/update.log" 2>&1 || true
		touch "$a/fresh"
	fi
	rm -f "$a/sources.new"
}

# ---- kernels -------------------------------------------------------------------------------

# Puts the cloud kernel of series $2 (6.1, 6.12, 7) into the directory $1: vmlinuz, release,
# version, root/ (modules).
vm_kernel_build()
{
	local dir=$1 series=$2 version='' v image packages rel deb w=$1.new
	vm_apt_refresh
	while read -r v; do
		if [[ -z $version ]] || dpkg --compare-versions "$v" gt "$version"; then
			version=$v
		fi
	done < <(vm_apt apt-cache madison linux-image-cloud-amd64 |
		awk -F'|' -v s="$series." '{ gsub(/ /, "", $2); if (index($2, s) == 1) print $2 }')
	[[ -n $version ]] || die "the mirror has no cloud kernel $series" \
		"(suites: $VM_SUITES; log: $VM_CACHE/apt/update.log)"

	image=$(vm_apt apt-cache show "linux-image-cloud-amd64=$version" |
		sed -nE 's/^Depends:.*(linux-image-[0-9][^ ,]*).*/\1/p' | head -n 1)
	rel=${image#linux-image-}
	# From 7.x on the image package is empty and depends on packages with the parts.
	packages=$(vm_apt apt-cache show "$image" | sed -n 's/^Depends: //p' | tr ',' '\n' |
		sed -nE "s/^ *(linux-(base|binary|modules)-[0-9][^ ]*).*/\1/p")
	say "fetching kernel $version"
	rm -rf "$w"
	mkdir -p "$w/deb" "$w/root/usr/lib/modules"
	# shellcheck disable=SC2086  # a list of package names
	(cd "$w/deb" && vm_apt apt-get download "$image" $packages) >"$w/log" 2>&1 ||
		die "could not download $image (log: $w/log)"
	for deb in "$w"/deb/*.deb; do
		dpkg-deb -x "$deb" "$w/x" || die "could not unpack $deb"
	done
	for v in "$w/x/boot/vmlinuz-$rel" "$w/x/usr/lib/modules/$rel/vmlinuz"; do
		[[ -f $v ]] && mv "$v" "$w/vmlinuz"
	done
	[[ -f $w/vmlinuz ]] || die "no kernel image in $image (files: $w/x)"
	for v in "$w/x/lib/modules/$rel" "$w/x/usr/lib/modules/$rel"; do
		[[ -d $v ]] && cp -a "$v" "$w/root/usr/lib/modules/"
	done
	ln -s usr/lib "$w/root/lib"
	depmod -b "$w/root" "$rel" >>"$w/log" 2>&1 || die "depmod failed (log: $w/log)"
	printf '%s\n' "$rel" >"$w/release"
	printf '%s\n' "$version" >"$w/version"
	cp "$w/x/boot/config-$rel" "$w/config" 2>/dev/null || true
	rm -rf "$w/x" "$w/deb"
	mv -T "$w" "$dir"
}

vm_kernel_series()
{
	local dir=$VM_CACHE/kernel-$1
	[[ -e $dir/vmlinuz ]] || vm_kernel_build "$dir" "$1"
}

# Sets KERNEL_IMAGE, KERNEL_RELEASE, KERNEL_ROOT ('' if there are no modules).
# shellcheck disable=SC2034  # used by the caller
vm_kernel()
{
	local want=$1 dir rel
	if [[ $want =~ ^[0-9]+(\.[0-9]+)?$ ]]; then
		dir=$VM_CACHE/kernel-$want
		[[ -e $dir/vmlinuz ]] || vm_locked apt vm_kernel_series "$want" || exit "$EX_NOBOOT"
		KERNEL_IMAGE=$dir/vmlinuz
		KERNEL_RELEASE=$(<"$dir/release")
		KERNEL_ROOT=$dir/root
	elif [[ -f $want ]]; then
		KERNEL_IMAGE=$(realpath "$want")
		rel=${KERNEL_IMAGE##*/}
		rel=${rel#vmlinuz-}
		KERNEL_RELEASE=$rel
		KERNEL_ROOT=
		[[ -d /lib/modules/$rel ]] && KERNEL_ROOT=/
	else
		die_usage "--kernel: '$want' is neither a series such as 6.1, 6.12 or 7 nor a file"
	fi
}

# ---- QEMU ----------------------------------------------------------------------------------

vm_qemu_major()
{
	"$@" --version 2>/dev/null | sed -nE '1s/.*version ([0-9]+)\..*/\1/p'
}

# Fetches a newer QEMU than the host's: its packages and all their dependencies are unpacked, and
# their own loader runs it. That needs neither root nor a chroot, and paths of kernels and disks
# stay valid.
vm_qemu_build()
{
	local dir=$VM_CACHE/qemu w=$VM_CACHE/qemu.new deb a=$VM_CACHE/apt
	[[ -x $dir/run ]] && return
	vm_apt_refresh
	say "fetching QEMU from $VM_QEMU_SUITE"
	rm -rf "$w"
	mkdir -p "$w/root"
	rm -f "$a"/cache/archives/*.deb
	vm_apt apt-get -y --download-only -t "$VM_QEMU_SUITE" install qemu-system-x86 \
		>"$w/log" 2>&1 || die "could not download QEMU (log: $w/log)"
	for deb in "$a"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$w/root" || die "could not unpack $deb"
	done
	rm -f "$a"/cache/archives/*.deb
	rm -rf "$w"/root/usr/share/{doc,man,locale,i18n,bug,lintian} "$w"/root/{var,etc}
	cat >"$w/run" <<-'END'
	#!/bin/sh
	# This QEMU needs a newer glibc than the host's, and thus its own loader.
	r=${0%/*}/root/usr l=${0%/*}/root/usr/lib/x86_64-linux-gnu
	export QEMU_MODULE_DIR="$l/qemu"
	exec "$l/ld-linux-x86-64.so.2" --library-path "$l" "$r/bin/qemu-system-x86_64" \
		-L "$r/share/qemu" -L "$r/share/seabios" "$@"
	END
	chmod +x "$w/run"
	[[ -n $(vm_qemu_major "$w/run") ]] || die "the fetched QEMU does not start: $w/run --version"
	mv -T "$w" "$dir"
}

# Sets QEMU to the command to run.
vm_qemu()
{
	local major
	if [[ -n ${PAGEFERRY_QEMU:-} ]]; then
		QEMU=$PAGEFERRY_QEMU
		return
	fi
	QEMU=$(type -P qemu-system-x86_64) || QEMU=
	if [[ -n $QEMU ]]; then
		major=$(vm_qemu_major "$QEMU")
		[[ -n $major && $major -ge $VM_QEMU_OLDEST ]] && return
	fi
	# QEMU 7.2 under TCG loses about one boot in fifteen: tests would fail without a fault.
	QEMU=$VM_CACHE/qemu/run
	[[ -x $QEMU ]] || vm_locked apt vm_qemu_build || exit "$EX_NOBOOT"
}

# ---- KVM -----------------------------------------------------------------------------------

# Writes "kvm" or "tcg" to the file $1. Inside a virtual machine /dev/kvm may exist and not work, so
# this boots a guest by the command "${@:2}", once for each host kernel, processor and QEMU.
vm_accel_probe()
{
	local answer=$1
	shift
	[[ -s $answer ]] && return
	say "probing KVM by booting a guest (once)"
	if "$@" >"$answer.log" 2>&1; then
		printf 'kvm\n' >"$answer.new"
	else
		printf 'tcg\n' >"$answer.new"
	fi
	mv "$answer.new" "$answer"
}

vm_accel()
{
	local key answer
	if [[ ! -r /dev/kvm || ! -w /dev/kvm ]]; then
		printf 'tcg\n'
		return
	fi
	key=$({ uname -r; sed -n '/^model name/{p;q}' /proc/cpuinfo; vm_qemu_major "$QEMU"; } | cksum)
	answer=$VM_CACHE/accel-${key%% *}
	[[ -s $answer ]] || vm_locked accel vm_accel_probe "$answer" "$@"
	cat "$answer"
}
