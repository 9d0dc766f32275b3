# shellcheck shell=bash
# Makes sure that Debian packages are there. Sourced by ./dev, which defines say and die.
#
# Each argument is PACKAGE:REASON. What is there already is never asked for, so that everything
# works without apt, without network and on other systems.

# present PACKAGE: its program, its header or the package itself is there.
present() {
    case $1 in
    g++ | cmake | python3 | pkg-config | gdb | git | ccache | shellcheck) command -v "$1" ;;
    ninja-build) command -v ninja ;;
    clang-19) command -v clang++-19 ;;
    nginx-light) command -v nginx || ls /usr/sbin/nginx ;;
    clang-format-19) command -v clang-format-19 ;;
    *) dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -x installed ||
        header_present "$1" ;;
    esac >/dev/null
}

header_present() {
    local header
    case $1 in
    zlib1g-dev) header=zlib.h ;;
    libcurl4-openssl-dev) header=curl/curl.h ;;
    libgtest-dev) header=gtest/gtest.h ;;
    libbenchmark-dev) header=benchmark/benchmark.h ;;
    libtbb-dev) header=tbb/version.h ;;
    libcereal-dev) header=cereal/cereal.hpp ;;
    libasio-dev) header=asio.hpp ;;
    libcli11-dev) header=CLI/CLI.hpp ;;
    libfmt-dev) header=fmt/core.h ;;
    nlohmann-json3-dev) header=nlohmann/json.hpp ;;
    libdw-dev) header=elfutils/libdwfl.h ;;
    libconcurrentqueue-dev) header=concurrentqueue/concurrentqueue.h ;;
    *) return 1 ;;
    esac
    [ -e "/usr/include/$header" ] || [ -e "/usr/local/include/$header" ]
}

# Prints the package of each PACKAGE:REASON that is not present, and says why on stderr.
missing() {
    local each
    for each in "$@"; do
        present "${each%%:*}" && continue
        say "missing: ${each%%:*} (${each#*:})" >&2
        echo "${each%%:*}"
    done
}

# as_root COMMAND...: runs it, if need be through sudo; a terminal may be asked for a password.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        if [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
    else
        return 1
    fi
}

apt_install() {
    command -v apt-get >/dev/null || return 1
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
    local install=("${apt[@]}" install -y --no-install-recommends "$@")
    local log
    log=$(mktemp)
    say "installing: $*" >&2
    if as_root "${install[@]}" >"$log" 2>&1 ||
        { as_root "${apt[@]}" update >>"$log" 2>&1 && as_root "${install[@]}" >>"$log" 2>&1; }; then
        rm -f "$log"
        return 0
    fi
    tail -n 3 "$log" >&2
    rm -f "$log"
    return 1
}

# need PACKAGE:REASON...: installs what is missing, or ends with the command that would.
need() {
    local packages
    mapfile -t packages < <(missing "$@")
    [ ${#packages[@]} -eq 0 ] && return
    apt_install "${packages[@]}" ||
        die "cannot install these packages here; run: sudo apt-get install -y ${packages[*]}"
}

# want PACKAGE:REASON...: the same for what one can do without.
want() {
    local each package
    for each in "$@"; do
        package=$(missing "$each")
        [ -z "$package" ] || apt_install "$package" ||
            say "without $package; to have it: sudo apt-get install -y $package" >&2
    done
}
