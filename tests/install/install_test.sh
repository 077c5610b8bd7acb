#!/usr/bin/env bash
# Installs a build into an empty folder, and packs it: the commands that lie there work, their flags are completed, and the
# package depends on every library that they load.
#   install_test.sh BUILD_FOLDER
set -euo pipefail
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "install_test: $*" >&2; exit 1; }

cmake --install "$build" --prefix "$work/usr" > "$work/log" || { cat "$work/log"; exit 1; }
for command in autotp-compile autotp-run autotp-plan autotp-model; do
  "$work/usr/bin/$command" --version > "$work/version" || fail "$command --version fails"
  grep -q "^$command [0-9.]* (commit ..*)" "$work/version" || fail "$command --version says neither version nor commit"
  [ -f "$work/usr/share/bash-completion/completions/$command" ] || fail "no completion of $command"
done
[ -f "$work/usr/share/doc/autotp/docs/debugging.md" ] || fail "no docs"
[ ! -e "$work/usr/bin/autotp-opt" ] || fail "autotp-opt is installed"

PATH=$work/usr/bin:$PATH
source "$work/usr/share/bash-completion/completions/autotp-run"
COMP_WORDS=(autotp-run --ste) COMP_CWORD=1
_autotp autotp-run
[ "${COMPREPLY[*]}" = --steps ] || fail "--ste is completed to '${COMPREPLY[*]}'"
COMP_WORDS=(autotp-compile pl) COMP_CWORD=1
_autotp autotp-compile
[ ${#COMPREPLY[@]} -eq 0 ] || fail "a file's name is completed to flags"

command -v dpkg-shlibdeps > /dev/null || { echo "no dpkg-dev: packages are not made here"; exit 0; }
(cd "$work" && cpack --config "$build/CPackConfig.cmake" -B "$work/packages" > "$work/log") || { cat "$work/log"; exit 1; }
deb=$(echo "$work"/packages/*.deb)
dpkg-deb --contents "$deb" > "$work/contents"
grep -q './usr/bin/autotp-compile$' "$work/contents" || fail "the package lacks autotp-compile"
tar -tzf "$work"/packages/*.tar.gz > "$work/contents"
grep -q 'bin/autotp-run$' "$work/contents" || fail "the archive lacks autotp-run"
dpkg-deb --field "$deb" Depends > "$work/depends"
for library in libprotobuf32 libdnnl2 libgomp1 libstdc++6 zlib1g; do
  grep -qF "$library" "$work/depends" || fail "the package does not depend on $library: $(cat "$work/depends")"
done
echo "installed and packed: $(basename "$deb"), which depends on $(cat "$work/depends")"
