#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the documents show works: `make install` into an empty place, then README's program and the
# examples against what was installed, in C and C++; links lead somewhere.
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh

flags() { # what pkg-config says, inside $root
	PKG_CONFIG_PATH=$root/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root \
		pkg-config "$@" libpageferry
}

# compile LANGUAGE OUTPUT SOURCE…
compile()
{
	local driver=${CC:-cc} words

	[[ $1 == c++* ]] && driver=${CXX:-c++}
	read -r -a words <<<"$(flags --cflags --libs)"
	"$driver" -std="$1" -Wall -Wextra -Werror \
		-o "$2" "${@:3}" "${words[@]}" \
		-Wl,-rpath,"$root/usr/lib"
}

installed() { [[ -f $root/usr/$1 ]]; }
first_c_block() { awk '/^```c$/ { on = 1; next } /^```/ && on { exit } on' "$1"; }

links()
{
	local document target missing=0

	for document in *.md docs/*.md docs/walks/*.md tests/*.md; do
		while read -r target; do
			[[ -e $(dirname "$document")/$target ]] && continue
			echo "$document: $target is not there"
			missing=1
		done < <(grep -oE '\]\([^)#:]+\)' "$document" | sed 's/^](//; s/)$//')
	done
	return $missing
}

aliases()
{
	local page target missing=0

	for page in "$root"/usr/share/man/man3/*.3; do
		target=$(sed -n 's/^\.so //p' "$page")
		[[ -z $target || -e $root/usr/share/man/$target ]] && continue
		echo "${page##*/}: $target is not there"
		missing=1
	done
	return $missing
}

try "make install" make -s install DESTDIR="$root" PREFIX=/usr
for file in include/pageferry.h lib/libpageferry.so lib/libpageferry.so.0 bin/migbench \
	lib/libpageferry-preload.so lib/pkgconfig/libpageferry.pc share/man/man1/migbench.1 \
	share/man/man3/ferry_move_pages.3 share/man/man7/pageferry.7; do
	try "$file is installed" installed "$file"
done
try "pkg-config knows the version" flags --modversion
try "installed pages refer to installed pages" aliases

first_c_block README.md >"$tmp/readme.c"
cp "$tmp/readme.c" "$tmp/readme.cc"
cat >"$tmp/main.c" <<'END'
#include <string.h>
long move(unsigned long count, void **pages, const int *nodes, int *status);
int main(void)
{
	static char data[1000 * 4096];
	static void *pages[1000];
	static int nodes[1000], status[1000];
	memset(data, 1, sizeof(data));
	memset(status, 0xff, sizeof(status));
	for (int i = 0; i < 1000; i++)
		pages[i] = data + i * 4096L;
	if (move(1000, pages, nodes, status))
		return 1;
	for (int i = 0; i < 1000; i++)
		if (status[i] != 0)
			return 2;
	return 0;
}
END
cp "$tmp/main.c" "$tmp/main.cc"
try "README's program compiles in C" compile c17 "$tmp/readme-c" "$tmp/readme.c" "$tmp/main.c"
try "and moves pages" "$tmp/readme-c"
try "README's program compiles in C++" compile c++17 "$tmp/readme-cc" "$tmp/readme.cc" "$tmp/main.cc"
try "and moves pages" "$tmp/readme-cc"
cat >"$tmp/init.cc" <<'END'
#include <pageferry.h>
int main()
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_stats stats = FERRY_STATS_INIT;
	return !(options.size == sizeof(options) && !options.engine && request.size && !request.pages &&
		 result.size && stats.size);
}
END
for standard in c++98 c++11 c++20; do
	try "structures are initialized in $standard" compile "$standard" "$tmp/init-cc" "$tmp/init.cc"
	try "and it runs" "$tmp/init-cc"
done
for source in examples/*.c; do
	try "$source compiles" compile gnu17 "$tmp/example" "$source"
	try "$source runs" "$tmp/example" 0
done
try "the installed migbench runs" env LD_LIBRARY_PATH="$root/usr/lib" "$root/usr/bin/migbench" doctor
try "documents link to what is there" links

tap_done
