# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds the root of a numa-vm guest: an initramfs of busybox and the files that the caller adds.
#
# Sourced. The caller provides die(), die_usage() and $VM_CACHE. Files keep their absolute paths, so
# that $ORIGIN, /proc/self/exe and configured paths mean the same on both sides.

VM_ROOT=          # the directory in which the guest's root is built
declare -A VM_SEEN=()

# Prints a path for the guest's root, which always has a merged /usr.
vm_guest_path()
{
	case $1 in
	/bin/* | /sbin/* | /lib/* | /lib64/*) printf '/usr%s\n' "$1" ;;
	*) printf '%s\n' "$1" ;;
	esac
}

vm_is_elf()
{
	local magic=
	LC_ALL=C read -r -N 4 magic 2>/dev/null <"$1" || return 1
	[[ $magic == $'\x7fELF' ]]
}

# Adds the shared libraries that $1 needs, and the loader.
vm_add_libs()
{
	local lib out
	out=$(ldd "$1" 2>/dev/null) || return 0    # static, or for another machine
	if [[ $out == *'not found'* ]]; then
		die "$1 needs libraries that this machine does not have:" \
			"$(grep 'not found' <<<"$out" | awk '{ print $1 }' | xargs)"
	fi
	while read -r lib; do
		vm_add_file "$lib" "$lib"
	done < <(sed -nE 's#^(.* => |[[:space:]]*)(/[^ ]+) \(0x[0-9a-f]+\)$#\2#p' <<<"$out")
	# glibc loads this one when a thread is cancelled or exits, and ldd does not list it.
	lib=$(sed -nE 's#.* => (/.*)/libc\.so\.6 .*#\1/libgcc_s.so.1#p' <<<"$out")
	[[ -n $lib && -e $lib ]] && vm_add_file "$lib" "$lib"
	return 0
}

# Adds the file $1 as $2, with the interpreter or the libraries that it needs.
vm_add_file()
{
	local from=$1 to
	to=$(vm_guest_path "$2")
	[[ -n ${VM_SEEN[$to]:-} ]] && return
	VM_SEEN[$to]=1
	mkdir -p "$VM_ROOT${to%/*}"
	cp -L --preserve=mode,timestamps "$from" "$VM_ROOT$to" || die "cannot copy $from"
	vm_add_needs "$from"
}

vm_add_needs()
{
	local line word
	if vm_is_elf "$1"; then
		vm_add_libs "$1"
	elif [[ -x $1 ]] && IFS= read -r line 2>/dev/null <"$1" && [[ $line == '#!'* ]]; then
		read -r -a word <<<"${line#\#!}"
		# For "#!/usr/bin/env -S x" the user adds x by --with.
		[[ ${word[0]} == */env ]] && word=("${word[1]:-}")
		[[ -n ${word[0]} && ${word[0]} != -* ]] && vm_add_program "${word[0]##*/}" "${word[0]}"
	fi
	return 0
}

# Adds the program named $1: busybox's, else the host's file $2, else the one in PATH.
vm_add_program()
{
	local path=$2
	vm_busybox_has "$1" && return
	[[ $path == /* && -e $path ]] || path=$(type -P "$1") || die "no program '$1' on this machine"
	vm_add_file "$path" "$path"
}

VM_APPLETS=
vm_busybox_has()
{
	[[ -n $VM_APPLETS ]] || VM_APPLETS=$'\n'$("$VM_BUSYBOX" --list)$'\n'
	[[ $VM_APPLETS == *$'\n'"$1"$'\n'* ]]
}

# Adds HOSTPATH[:GUESTPATH], the value of --with. A bare name that is no file is a program in PATH.
vm_add_with()
{
	local from=${1%%:*} to='' f
	[[ $1 == *:* ]] && to=${1#*:}
	if [[ ! -e $from && $from != */* ]]; then
		from=$(type -P "$from") || die_usage "--with: neither a file nor a program: ${1%%:*}"
	fi
	[[ -e $from ]] || die_usage "--with: no such file or directory: $from"
	from=$(realpath -s "$from")
	to=${to:-$from}
	[[ $to == /* ]] || die_usage "--with: the guest path must be absolute: $to"
	if [[ ! -d $from ]]; then
		vm_add_file "$from" "$to"
		return
	fi
	to=$(vm_guest_path "$to")
	mkdir -p "$VM_ROOT$to"
	cp -a "$from/." "$VM_ROOT$to/" || die "cannot copy $from"
	while IFS= read -r -d '' f; do
		vm_add_needs "$f"
	done < <(find "$from" -type f \( -perm /111 -o -name '*.so*' \) -print0)
}

# Adds the modules named and those that they need, decompressed: busybox's insmod needs that.
vm_add_modules()
{
	local spec name params path kind rest to last
	mkdir -p "$VM_ROOT/.numa-vm"
	: >"$VM_ROOT/.numa-vm/modules"
	for spec; do
		[[ -n $KERNEL_ROOT ]] || die_usage "--module and --out need a kernel with its modules" \
			"(/lib/modules/$KERNEL_RELEASE)"
		read -r name params <<<"$spec"
		path=$(modprobe -d "$KERNEL_ROOT" -S "$KERNEL_RELEASE" -C /dev/null \
			--show-depends "$name" 2>&1) ||
			die_usage "--module: kernel $KERNEL_RELEASE has no module '$name'"
		last=
		while read -r kind rest; do
			[[ $kind == insmod ]] || continue
			rest=${rest%% *}
			to=/.numa-vm/${rest##*/}
			to=${to%.[xz][zs]*}
			[[ -n $last ]] && vm_list_module "$last"
			last=$to
			case $rest in
			*.xz) xz -dc "$rest" ;;
			*.zst) zstd -qdc "$rest" ;;
			*.gz) gzip -dc "$rest" ;;
			*) cat "$rest" ;;
			esac >"$VM_ROOT$to" || die "cannot unpack $rest"
		done <<<"$path"
		[[ -n $last ]] && vm_list_module "$last" "$params"
	done
	return 0
}

# Lists a module once: insmod fails for a module that is loaded already.
vm_list_module()
{
	local list=$VM_ROOT/.numa-vm/modules
	grep -qE "^$1( |$)" "$list" || printf '%s\n' "$1${2:+ $2}" >>"$list"
}

vm_quote()
{
	local w out=
	for w; do
		out+=" '${w//\'/\'\\\'\'}'"
	done
	printf '%s\n' "${out# }"
}

# Builds an archive of the files that are the same for all guests; it is kept.
vm_root_base()
{
	local d=$1.dir p
	rm -rf "$d"
	mkdir -p "$d"/{usr/bin,usr/sbin,usr/lib,usr/lib64,proc,sys,dev,tmp,run,root,etc,var,out}
	ln -s usr/bin usr/sbin usr/lib usr/lib64 "$d/"
	ln -sf ../run "$d/var/run"
	ln -sf ../tmp "$d/var/tmp"
	ln -sf ../proc/self/mounts "$d/etc/mtab"
	cp "$VM_BUSYBOX" "$d/usr/bin/busybox"
	for p in $("$VM_BUSYBOX" --list-full); do
		case ${p##*/} in
		busybox) ;;
		*)
			p=usr/${p#usr/}
			ln -sf ../bin/busybox "$d/$p" ;;
		esac
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' \
		>"$d/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$d/etc/group"
	printf '127.0.0.1 localhost numa-vm\n' >"$d/etc/hosts"
	printf 'numa-vm\n' >"$d/etc/hostname"
	cp "$VM_LIB/vm-init" "$d/init"
	chmod 755 "$d/init"
	(cd "$d" && find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet) >"$1.new" ||
		die "cannot build $1"
	rm -rf "$d"
	mv "$1.new" "$1"
	# Remove archives of other versions of this script; a run needs one only for a moment.
	find "$VM_CACHE" -maxdepth 1 -name 'base-*.cpio' -mmin +1440 -delete
}

# Writes the initramfs of the base archive and $VM_ROOT to $1.
vm_root_pack()
{
	local base
	base=$VM_CACHE/base-$(cat "$VM_BUSYBOX" "$VM_LIB/vm-init" "$VM_LIB/vm-root.sh" | cksum |
		cut -d ' ' -f 1).cpio
	[[ -e $base ]] || vm_locked base vm_root_base "$base"
	{
		cat "$base" &&
			(cd "$VM_ROOT" && find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet)
	} >"$1" || die "cannot build the initramfs"
}
