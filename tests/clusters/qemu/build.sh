#!/bin/bash
# build.sh IMAGE: the disk of a cluster node, from Debian's packages: grub, sshd, two real kernels (stock and rt).
# build.sh --archive: digests of the package lists that it would be made from now; nothing if they are not known here.
#
# Needs root, mmdebstrap, fdisk, e2fsprogs and loop devices. Of this machine nothing is touched: grub is written to the
# loop device of the image by the grub within the image, in a mount namespace of its own.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

suite=bookworm
size_mib=2200
packages=systemd-sysv,udev,dbus,openssh-server,sudo,iproute2,procps,kmod,util-linux
packages+=,libgomp1,initramfs-tools,lz4,linux-image-amd64,linux-image-rt-amd64,grub-pc-bin,grub2-common
# initramfs: a list of modules instead of all takes seconds instead of a minute to make, and to unpack under emulation.
initramfs='mkdir -p "$1/etc/initramfs-tools/conf.d"
    printf "MODULES=list\nCOMPRESS=lz4\n" >"$1/etc/initramfs-tools/conf.d/fast"
    printf "%s\n" ext4 virtio_pci virtio_blk virtio_net >"$1/etc/initramfs-tools/modules"'
slim=(--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' --dpkgopt='force-unsafe-io'
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*'
    --dpkgopt='path-exclude=/usr/share/locale/*')

if [ "$1" = --archive ]; then
    apt-get -qq -o DPkg::Lock::Timeout=120 update >/dev/null
    apt-get indextargets --format '$(CODENAME) $(FILENAME)' 'Created-By: Packages' | sort | while read -r codename file; do
        case $codename in
            $suite | $suite-*) echo "$codename $(/usr/lib/apt/apt-helper cat-file "$file" | sha256sum)" ;;
        esac
    done
    exit 0
fi

image=$1
if [ -z "${HPCVIRT_OWN_MOUNTS:-}" ]; then # what is mounted from here on nobody else sees, and goes with us
    exec env HPCVIRT_OWN_MOUNTS=1 unshare --mount --propagation private "$BASH" "$0" "$@"
fi

work=$(mktemp -d)
root=$work/root
loop=
clean_up() {
    set +e
    umount -R "$root" 2>/dev/null
    [ -z "$loop" ] || { partx -d "$loop" && losetup -d "$loop"; } 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT

rm -f "$image"
truncate -s $((size_mib + 2))M "$image"
printf 'label: dos\nstart=1MiB,size=%dMiB,type=83,bootable\n' "$size_mib" | sfdisk -q "$image"
loop=$(losetup -f --show "$image")
partx -a "$loop" # losetup -P makes no partitions where the kernel cannot read partition tables itself
disk=${loop}p1
for _ in $(seq 50); do [ -b "$disk" ] && break || sleep 0.1; done
mkfs.ext4 -q -L node "$disk"
mkdir "$root"
mount "$disk" "$root"
uuid=$(blkid -s UUID -o value "$disk")

mmdebstrap --mode=root --variant=minbase "${slim[@]}" --include="$packages" --setup-hook="$initramfs" "$suite" "$root"

# -- a node like any other: a user who may do little, sshd, a network

printf 'UUID=%s / ext4 errors=remount-ro 0 1\n' "$uuid" >"$root/etc/fstab"
: >"$root/etc/resolv.conf" # a name that must be asked for costs sudo ten seconds where nobody answers
printf '[Match]\nDriver=virtio_net\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\n' \
    >"$root/etc/systemd/network/20-nic.network"
printf 'UseDNS no\nPasswordAuthentication no\nMaxStartups 100\n' >"$root/etc/ssh/sshd_config.d/node.conf"
rm -f "$root"/etc/ssh/ssh_host_*
chroot "$root" useradd -m -s /bin/bash -u 7700 -p '*' bench

# What the documentation tells an operator to allow.
cat >"$root/etc/sudoers.d/hpcvirt" <<'SUDO'
bench ALL=(root) NOPASSWD: /usr/sbin/grub-reboot, /usr/bin/grub-editenv, /usr/sbin/reboot
bench ALL=(root) NOPASSWD: /usr/bin/cat /boot/grub/grub.cfg
SUDO
chmod 440 "$root/etc/sudoers.d/hpcvirt"

# Its name, host key and whom it lets in are on a second disk, a tar archive: the image knows no secret and no name.
cat >"$root/etc/systemd/system/settings.service" <<'UNIT'
[Unit]
Description=Name and keys of this node
DefaultDependencies=no
After=local-fs.target systemd-udev-settle.service
Before=ssh.service network-pre.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'tar -xf /dev/vdb -C / && hostname -F /etc/hostname'
[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl -q enable settings systemd-networkd ssh
chroot "$root" systemctl -q disable systemd-networkd-wait-online || true
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    dpkg-db-backup.timer systemd-timesyncd.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*

# -- grub, on the image's own disk

cat >"$root/etc/default/grub" <<'GRUB'
GRUB_DEFAULT=saved
GRUB_TIMEOUT=0
GRUB_DISABLE_RECOVERY=true
GRUB_DISABLE_OS_PROBER=true
GRUB_DISTRIBUTOR=Debian
GRUB_TERMINAL=console
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="console=ttyS0,115200 \${hpcvirt_arguments}"
GRUB
# The same, and so is this.
cat >"$root/etc/grub.d/06_hpcvirt" <<'SNIPPET'
#!/bin/sh
cat <<'CFG'
if [ "${boot_once}" != true ]; then set hpcvirt_arguments=; fi
export hpcvirt_arguments
CFG
SNIPPET
chmod 755 "$root/etc/grub.d/06_hpcvirt"
mkdir -p "$root/boot/grub"
for folder in dev proc sys; do mount --rbind "/$folder" "$root/$folder"; done
chroot "$root" grub-install --target=i386-pc --no-floppy --modules='part_msdos ext2' "$loop"
chroot "$root" update-grub
# Without udev grub-mkconfig finds no UUID and writes the loop device's name.
sed -i "s#root=$disk#root=UUID=$uuid#" "$root/boot/grub/grub.cfg"
release=$(basename "$root"/lib/modules/*[0-9]-amd64)
advanced="gnulinux-advanced-$uuid>gnulinux-$release-advanced-$uuid"
chroot "$root" grub-set-default "$advanced"
chroot "$root" grub-editenv list
grep -E "^\s*(menuentry|submenu) " "$root/boot/grub/grub.cfg" | cut -c1-100
df -m "$root"
sync
