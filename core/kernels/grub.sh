# What method grub does on a node. POSIX sh, with hv_action and its settings in the environment.
# It answers in lines of "key value". Nothing is changed but by the actions order and restore.

if [ "$(id -u)" -eq 0 ]; then hv_sudo=; else hv_sudo='sudo -n'; fi

hv_refuse() {
    echo "refused $*"
    exit 1
}

hv_tool() { # NAME...: hv_found, the first that is there
    for hv_found in "$@"; do
        command -v "$hv_found" >/dev/null 2>&1 && return
    done
    hv_found=
    return 1
}

hv_kind() { # hv_kind and its tools
    hv_tool grub-editenv grub2-editenv
    hv_editenv=$hv_found
    if hv_tool grub-reboot grub2-reboot; then
        hv_kind=grub2
        hv_reboot=$hv_found
        [ -n "$hv_editenv" ] || hv_refuse "there is $hv_reboot, and no grub-editenv"
    elif hv_tool grub; then
        hv_kind=legacy
    else
        hv_refuse "neither grub-reboot nor grub2-reboot nor GRUB Legacy is installed"
    fi
}

hv_cat() { # FILE...: the first that can be read
    for hv_file in "$@"; do
        if [ -r "$hv_file" ]; then
            cat "$hv_file"
            return
        fi
    done
    [ -n "$hv_sudo" ] || return 1
    for hv_file in "$@"; do
        $hv_sudo cat "$hv_file" 2>/dev/null && return
    done
    return 1
}

hv_list() { # what GRUB remembers from one boot to the next
    $hv_sudo "$hv_editenv" - list 2>&1 || hv_refuse "$hv_editenv cannot be used: $($hv_sudo "$hv_editenv" - list 2>&1)"
}

hv_do_menu() {
    echo "kind $hv_kind"
    if [ "$hv_kind" = legacy ]; then
        hv_cat /boot/grub/menu.lst /boot/grub/grub.conf | sed -n 's/^/menu /p'
        return
    fi
    # Lines that open or close something, and those that tell what this configuration can do.
    hv_cat /boot/grub/grub.cfg /boot/grub2/grub.cfg /etc/grub2.cfg /etc/grub2-efi.cfg |
        grep -E '[{][[:space:]]*$|^[[:space:]]*[}]|menuentry|submenu|next_entry|boot_once|hpcvirt_arguments|blscfg' |
        sed -n 's/^/menu /p'
    ! hv_tool grubby || $hv_sudo grubby --info=ALL 2>/dev/null | sed -n 's/^/grubby /p'
}

hv_do_remember() {
    echo "kind $hv_kind"
    if [ "$hv_kind" != legacy ]; then
        hv_know
        printf '%s\n' "$hv_env" | sed -n 's/^/env /p'
    fi
    echo "remembered all"
}

hv_know() { # hv_env; what could not be read is not empty
    hv_env=$(hv_list) || {
        printf '%s\n' "$hv_env"
        exit 1
    }
}

hv_reboot_now() {
    if hv_tool reboot; then
        $hv_sudo reboot
    else
        $hv_sudo shutdown -r now
    fi
}

hv_take_back() { # WHY: the order, and refuse
    if [ "$hv_kind" = legacy ]; then
        hv_refuse "$*; GRUB Legacy cannot take its order back: the next boot, whoever orders it, is into entry $hv_place"
    fi
    for hv_name in next_entry hpcvirt_arguments; do
        $hv_sudo "$hv_editenv" - unset $hv_name 2>/dev/null
    done
    hv_refuse "$*"
}

hv_do_order() { # hv_old hv_place hv_arguments
    IFS= read -r hv_now </proc/sys/kernel/random/boot_id
    if [ "$hv_now" != "$hv_old" ]; then
        echo "other $hv_now"
        return
    fi
    if [ "$hv_kind" = legacy ]; then
        printf 'savedefault --default=%s --once\nquit\n' "$hv_place" | $hv_sudo grub --batch >/dev/null 2>&1 ||
            hv_refuse "GRUB Legacy does not take the order"
    else
        # The entry last: what fails before it leaves nothing that a boot would obey.
        if [ -n "$hv_arguments" ]; then
            hv_said=$($hv_sudo "$hv_editenv" - set "hpcvirt_arguments=$hv_arguments" 2>&1) ||
                hv_refuse "$hv_editenv: $hv_said"
        else
            $hv_sudo "$hv_editenv" - unset hpcvirt_arguments 2>/dev/null
        fi
        hv_said=$($hv_sudo "$hv_reboot" "$hv_place" 2>&1) || hv_refuse "$hv_reboot: $hv_said"
        case "
$(hv_list)
" in
            *"
next_entry=$hv_place
"*) ;;
            *) hv_take_back "next_entry was not kept" ;;
        esac
    fi
    sync
    hv_said=$(hv_reboot_now 2>&1) || hv_take_back "reboot: $hv_said"
    echo "accepted"
}

hv_put_back() { # NAME VALUE: empty values are as good as none
    hv_now=$(printf '%s\n' "$hv_env" | sed -n "s/^$1=//p")
    [ "$hv_now" != "$2" ] || return 0
    if [ -n "$2" ]; then
        $hv_sudo "$hv_editenv" - set "$1=$2" || hv_refuse "$1 cannot be put back"
    else
        $hv_sudo "$hv_editenv" - unset "$1" || hv_refuse "$1 cannot be put back"
    fi
}

hv_do_restore() { # hv_saved_entry hv_next_entry hv_hpcvirt_arguments
    [ "$hv_kind" != legacy ] || return 0
    hv_know
    hv_put_back saved_entry "$hv_saved_entry"
    hv_put_back next_entry "$hv_next_entry"
    hv_put_back hpcvirt_arguments "$hv_hpcvirt_arguments"
    echo "restored"
}

hv_asks() { # PATH: whether sudo asks for a password before it; `sudo -l` is content when any rule does without
    hv_free=no
    hv_asks=no
    while read -r hv_word hv_rest; do
        case $hv_word in
            Sudoers) hv_block=$hv_free ;;
            Options:)
                case " $hv_rest," in
                    *" !authenticate,"*) hv_block=yes ;;
                    *" authenticate,"*) hv_block=no ;;
                esac
                ;;
            ALL | /*) # the last rule that speaks of it holds; patterns are theirs
                case $1 in
                    $hv_word) ;;
                    *) case $hv_word in ALL) ;; */) case $1 in "$hv_word"*) ;; *) continue ;; esac ;; *) continue ;; esac ;;
                esac
                hv_asks=yes
                [ "$hv_block" != yes ] || hv_asks=no
                ;;
            *) case "$hv_word $hv_rest," in *" !authenticate,"*) hv_free=yes ;; esac ;;
        esac
    done <<EOT
$(sudo -n -ll 2>/dev/null)
EOT
    [ $hv_asks = yes ]
}

hv_may() { # PROGRAM: told whether we may run it as root without a password
    if [ -z "$hv_sudo" ]; then
        echo "may $1"
    elif ! hv_said=$(sudo -n -l "$1" 2>&1); then
        hv_said=$(printf '%s\n' "$hv_said" | head -n 1)
        echo "maynot $1: ${hv_said:-sudo has no rule for it}"
    elif hv_asks "${hv_said%%[ 
]*}"; then
        echo "maynot $1: sudo asks for a password (no NOPASSWD for it)"
    else
        echo "may $1"
    fi
}

hv_do_check() {
    hv_do_menu
    if [ -n "$hv_sudo" ] && ! command -v sudo >/dev/null 2>&1; then
        echo "maynot anything: sudo is not installed, and the user is not root"
    elif [ "$hv_kind" = legacy ]; then
        hv_may grub
    else
        hv_may "$hv_reboot"
        hv_may "$hv_editenv"
        if hv_env=$($hv_sudo "$hv_editenv" - list 2>&1); then
            printf '%s\n' "$hv_env" | sed -n 's/^/env /p'
        else
            printf '%s\n' "$hv_env" | sed -n '1s/^/nogrubenv /p'
        fi
    fi
    hv_tool reboot shutdown
    hv_may "${hv_found:-reboot}"
    sed -n 's/^GRUB_DEFAULT=/default /p' /etc/default/grub 2>/dev/null
    df -Pk /boot 2>/dev/null | { read -r hv_rest; read -r hv_device hv_size hv_used hv_free hv_rest && echo "free $hv_free"; }
    for hv_folder in /boot/grub /boot/grub2; do
        [ ! -d "$hv_folder" ] || df -Pk "$hv_folder" | {
            read -r hv_rest
            read -r hv_device hv_rest
            # Fields of its line: device, place, type, options.
            hv_line=$(grep "^$hv_device " /proc/mounts | head -n 1)
            set -- ${hv_line:-unknown unknown unknown unknown}
            echo "grubenv_on $hv_device $3"
            case ,$4, in *,ro,*) echo "grubenv_readonly $hv_folder on $hv_device" ;; esac
        }
    done
}

hv_kind
"hv_do_$hv_action"
