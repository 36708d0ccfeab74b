#!/bin/sh
# host/vpx/windows.sh COMMAND [ARG...]: run a command, such as go build, that makes
# a Windows program with libvpx in it. Without a command: only make libvpx, and
# print where it lies.
#
# libvpx is built by mingw out of Debian's source package, with Debian's patches,
# once for each pin, compiler and content of this file, into the user's cache
# (MAINFORTE_CACHE, or ~/.cache/mainforte). apt fetches it from wherever this machine
# gets its packages, into folders of its own: nothing of the system changes and
# nobody needs to be root. What was fetched must have the sums below.
#
# Where that cannot be had, as offline, it says so and runs the command for a
# program without video; with MAINFORTE_VIDEO=required it fails. With
# MAINFORTE_VIDEO=made it takes what was made before and makes none, as `task test` does.
set -eu

# A new pin: `apt-get source --download-only libvpx`, then sha256sum.
version=1.12.0-1+deb12u5
upstream=1.12.0
orig_sum=f1acc15d0fd0cb431f4bf6eac32d5e932e40ea1186fe78e074254d6d003957bb
debian_sum=35cfacecb71f4c4ddfbb29b53b68fb7e82f1e86e28b67327c72683715c5e22f4

target=x86_64-w64-mingw32
# GCC spills 32-byte vectors to a stack that Windows aligns to 16 bytes
# (https://gcc.gnu.org/bugzilla/show_bug.cgi?id=54412): the assembler makes moves of
# them that need no alignment.
unaligned=-Wa,-muse-unaligned-vector-move

root=${MAINFORTE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mainforte}

# fetch gets both files of the source package into the folder it is given.
fetch() {
	apt=$1/apt
	mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		sed -n 's/^deb[[:space:]]/deb-src /p' >"$apt/parts/all.list"
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -e "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" >"$apt/parts/$(basename "$f")"
	done
	set -- -q -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$apt/parts" \
		-o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o Acquire::Retries=2 -o Acquire::http::Timeout=20
	# Somebody else's archive may have no sources: what counts is whether ours come.
	apt-get "$@" update || echo "windows.sh: not every archive could be read" >&2
	(cd "${apt%/apt}" && apt-get "$@" source --download-only "libvpx=$version")
}

# make_library makes include/ and lib/ in the folder it is given. It is asked for its
# success, so every step is asked for its own: set -e does nothing here.
make_library() {
	fetch "$1" && cd "$1" &&
		echo "$orig_sum  libvpx_$upstream.orig.tar.gz
$debian_sum  libvpx_$version.debian.tar.xz" | sha256sum --check --strict &&
		mkdir src && tar xf "libvpx_$upstream.orig.tar.gz" -C src --strip-components=1 &&
		cd src && tar xf "../libvpx_$version.debian.tar.xz" || return
	for p in $(grep -v '^#' debian/patches/series); do
		patch -s -p1 <"debian/patches/$p" || return
	done
	# In its own folder and without a prefix: libvpx keeps both in the program. The
	# decoders are for tests; the linker leaves them out of the host.
	CROSS=$target- ./configure --target=x86_64-win64-gcc --as=nasm --disable-shared --enable-static --enable-realtime-only \
		--disable-examples --disable-tools --disable-docs --disable-unit-tests --disable-install-bins \
		--disable-install-docs --disable-install-srcs --disable-postproc --disable-vp9-postproc --disable-webm-io \
		--disable-libyuv --disable-debug --disable-avx512 --extra-cflags=$unaligned &&
		make -s -j"$(nproc)" libvpx.a &&
		mkdir -p ../include/vpx ../lib && cp vpx/*.h ../include/vpx && cp libvpx.a ../lib &&
		cd .. && rm -rf src apt libvpx_*
}

# library prints the folder of the library and makes it where there is none yet.
library() {
	for p in $target-gcc nasm make patch apt-get sha256sum; do
		command -v $p >/dev/null || { echo "$p is not installed" >&2; return 3; }
	done
	id=$({ cat "$0"; $target-gcc --version; $target-as --version; nasm --version; } | sha256sum | cut -c1-12)
	dir=$root/libvpx-$version-$id
	if [ ! -e "$dir/lib/libvpx.a" ]; then
		[ "${MAINFORTE_VIDEO:-}" != made ] || return 3
		mkdir -p "$root"
		fresh=$(mktemp -d "$root/libvpx.XXXXXX")
		if ! (make_library "$fresh") >"$fresh.log" 2>&1; then
			tail -15 "$fresh.log" >&2
			rm -rf "$fresh" "$fresh.log"
			return 3
		fi
		rm -f "$fresh.log"
		# Somebody else may have been faster.
		mv -T "$fresh" "$dir" 2>/dev/null || rm -rf "$fresh"
	fi
	echo "$dir"
}

export GOOS=windows GOARCH=amd64
if dir=$(library); then
	[ $# -gt 0 ] || { echo "$dir"; exit; }
	export CGO_ENABLED=1 CC=$target-gcc GOFLAGS="${GOFLAGS:-} -tags=vpx"
	export CGO_CFLAGS="-O2 -I$dir/include $unaligned -DMF_UNALIGNED_MOVES" CGO_LDFLAGS="-L$dir/lib"
else
	if [ "${MAINFORTE_VIDEO:-}" = made ]; then
		echo "windows.sh: no libvpx for Windows has been made here; this one goes without video." >&2
	else
		echo "windows.sh: libvpx $version for Windows could not be made: the host for Windows is built without video." >&2
		echo "windows.sh: it shows everything by exact tiles. With a network, and after: sudo apt-get install gcc-mingw-w64-x86-64 nasm make patch xz-utils, run it again." >&2
	fi
	[ "${MAINFORTE_VIDEO:-}" != required ] && [ $# -gt 0 ] || exit 1
	export CGO_ENABLED=0
fi
exec "$@"
