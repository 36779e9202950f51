#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The static site: every document and man page has a page, no link is broken, and a broken one is found.
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh

all_there()
{
	local source missing=0

	for source in docs/*.md docs/*/*.md; do
		[[ -s $tmp/site/${source%.md}.html ]] || { echo "no page of $source" && missing=1; }
	done
	for source in man/*.[1-8]; do
		[[ -s $tmp/site/$source.html ]] || { echo "no page of $source" && missing=1; }
	done
	return $missing
}

# finds WHAT LINK: a page that has this link must be found.
finds()
{
	local output

	mkdir -p "$tmp/broken"
	printf '<h1 id="here">x</h1><a href="#here">x</a>\n<a href="%s">x</a>\n' "$2" \
		>"$tmp/broken/page.html"
	output=$(tools/html --check "$tmp/broken")
	[[ $? -eq 1 && $output == *"broken link: $2"* && $output == *'1 broken'* ]]
	verdict $? "it finds $1" "$output"
}

try 'the site is written' tools/html "$tmp/site"
try 'every document and man page has a page' all_there
try 'no link is broken' tools/html --check "$tmp/site"
for place in index.html docs/engines.html man/ferry_open.3.html man/migbench.1.html; do
	try "$place is whole" grep -q '^</html>$' "$tmp/site/$place"
done
try 'tables are tables' grep -q '<td>' "$tmp/site/docs/dependencies.html"
try 'headings have names' grep -q '<h2 id="the-exchange-mover">' "$tmp/site/docs/architecture.html"
try 'man pages link to each other' grep -q 'href="pageferry.7.html"' "$tmp/site/man/migbench.1.html"
finds 'a file that is not there' nonesuch.html
finds 'a place that is not there' '#there'
finds 'a place of another page that is not there' 'page.html#there'
finds 'an address that is none' 'https://'
mkdir "$tmp/mine"
echo precious >"$tmp/mine/file"
! tools/html "$tmp/mine" 2>"$tmp/err" && [[ -s $tmp/mine/file ]]
verdict $? 'it replaces nothing but a site' "$(cat "$tmp/err")"
tap_done
