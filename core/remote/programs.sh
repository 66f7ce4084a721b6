# What a benchmark executes, and the shared libraries that it loads: lines of SHA-256, name and path, and what is missing.
# A library's name is that by which it is asked for: its folder differs from distribution to distribution.
hv_largest=67108864
hv_nested=
hv_digest() { # NAME FILE
    hv_sum=unhashed
    if command -v sha256sum >/dev/null 2>&1; then
        hv_sum=$(sha256sum <"$2") || hv_sum=unhashed
    fi
    printf '%s\t%s\t%s\n' "${hv_sum%% *}" "$1" "$2"
}
hv_libraries() { # FILE
    if ! command -v ldd >/dev/null 2>&1; then
        printf 'unlisted %s\n' "${1##*/}"
        return
    fi
    ldd "$1" 2>/dev/null | while read -r hv_name hv_arrow hv_path hv_rest; do
        case $hv_arrow in =*) ;; *) hv_path=$hv_name ;; esac
        case $hv_path in
            /*) hv_digest "${hv_name##*/}" "$hv_path" ;;
            not) printf 'lacking %s\n' "$hv_name" ;;
        esac
    done
}
hv_find_program() { # NAME: hv_path. By hand: a shell may have something of its own by that name
    hv_path=$1
    case $1 in */*) return ;; esac
    hv_ifs=$IFS
    IFS=:
    for hv_folder in $PATH /usr/sbin /sbin; do
        hv_path=${hv_folder:-.}/$1
        [ ! -f "$hv_path" ] || [ ! -x "$hv_path" ] || break
    done
    IFS=$hv_ifs
}
hv_made_for() { # FILE: hv_made, class and machine of an ELF file; empty for others
    hv_made=$(od -An -tx1 -N20 "$1" 2>/dev/null | tr -d ' \n')
    case $hv_made in
        7f454c46*)
            hv_made=${hv_made#????????}
            hv_made="${hv_made%"${hv_made#??}"} ${hv_made#????????????????????????????}"
            ;;
        *) hv_made= ;;
    esac
}
hv_is_foreign() { # FILE: made for another machine. A shell would take it for a text of its own, and try
    hv_made_for /bin/sh
    hv_here=$hv_made
    hv_made_for "$1"
    [ -n "$hv_made" ] && [ -n "$hv_here" ] && [ "$hv_made" != "$hv_here" ] || return 1
    # 64 bits run 32, and some nodes have an emulator.
    case "$hv_here $hv_made" in 02*' 01 '*) return 1 ;; esac
    for hv_handler in /proc/sys/fs/binfmt_misc/qemu-*; do
        [ ! -e "$hv_handler" ] || return 1
    done
}
hv_program() { # NAME [NAME IN THE LIST]: in PATH, or a path
    hv_find_program "$1"
    if [ ! -f "${hv_path:-/}" ]; then
        printf 'missing %s\n' "$1"
    elif [ ! -x "$hv_path" ]; then
        printf 'forbidden %s\n' "$1"
    elif hv_is_foreign "$hv_path"; then
        printf 'foreign %s\n' "$1"
    else
        hv_file=$(readlink -f "$hv_path" 2>/dev/null) || hv_file=
        hv_file=${hv_file:-$hv_path}
        case $1 in
            bench/*) ;; # an artifact, which was checked
            *) hv_digest "${2:-${1##*/}}" "$hv_file" ;;
        esac
        [ -z "$hv_made" ] && hv_interpreter "$hv_file" || hv_libraries "$hv_file"
    fi
}
hv_interpreter() { # SCRIPT: what its first line names; behind env, what that would find. False: it is no script
    hv_line=
    read -r hv_line 2>/dev/null <"$1"
    case $hv_line in '#!'*) ;; *) return 1 ;; esac
    [ "${#hv_nested}" -lt 4 ] || return 0
    set -f
    set -- ${hv_line#??}
    set +f
    case ${1-} in
        */env)
            shift
            while :; do case ${1-} in -* | *=*) shift ;; *) break ;; esac done
            ;;
    esac
    hv_nested=${hv_nested}x
    [ $# -eq 0 ] || hv_argument "$1" "${1##*/}"
    hv_nested=${hv_nested%x}
}
hv_argument() { # WORD [NAME]: of a command line; a program, or a file that is not too large
    case $1 in
        /*) hv_path=$1 ;;
        *=/*) hv_path=/${1#*=/} ;;
        '' | -* | */*) return ;;
        *) hv_find_program "$1" ;;
    esac
    [ -f "$hv_path" ] || return 0
    if [ -x "$hv_path" ]; then
        hv_program "$hv_path" "${2:-$1}"
    elif [ -r "$hv_path" ] && [ "$(wc -c <"$hv_path")" -le "$hv_largest" ]; then
        hv_digest "${2:-$1}" "$hv_path"
    fi
}
hv_needed() { # FILE
    [ -r "$1" ] || printf 'absent %s\n' "$1"
}
