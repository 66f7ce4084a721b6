# What is installed on this node and how it is set up: "key value" lines, none that changes while nothing is changed.
# A line that is not there means: the node lacks it, or cannot tell.
hv_put() { # KEY VALUE
    [ -z "$2" ] || printf '%s %s\n' "$1" "$2"
}
hv_file() { # KEY FILE: its first line
    hv_value=
    [ -r "$2" ] && IFS= read -r hv_value <"$2" 2>/dev/null
    hv_put "$1" "$hv_value"
}
hv_says() { # KEY COMMAND...: the first line that it prints, if it is there
    hv_key=$1
    shift
    command -v "$1" >/dev/null 2>&1 || return 0
    "$@" </dev/null 2>/dev/null | {
        IFS= read -r hv_value
        hv_put "$hv_key" "$hv_value"
    }
}
hv_os() {
    [ ! -r /etc/os-release ] || while IFS='=' read -r hv_key hv_value; do
        case $hv_key in
            ID | VERSION_ID | PRETTY_NAME)
                hv_value=${hv_value#\"}
                hv_put "os.$hv_key" "${hv_value%\"}"
                ;;
        esac
    done </etc/os-release
    hv_file os.redhat /etc/redhat-release
    hv_file os.debian /etc/debian_version
}
hv_package_names='glibc libc6 libc-bin gcc gcc-c++ gcc-gfortran gfortran g++ libgcc libgcc-s1 libgomp libgomp1 libgfortran
    libgfortran5 clang llvm openmpi libopenmpi3 openmpi-bin mpich libmpich12 mvapich2 openblas libopenblas0 blas libblas3
    lapack fftw libfftw3-double3 numactl libnuma1 hwloc libhwloc15 rdma-core libibverbs1 ucx libucx0 openssh-server
    util-linux coreutils systemd tuned irqbalance cpupower linux-cpupower xen xen-hypervisor xen-utils microcode_ctl
    intel-microcode amd64-microcode slurm slurmd'
hv_packages() {
    set -- $hv_package_names
    hv_release=$(uname -r)
    if command -v rpm >/dev/null 2>&1 && [ -d /var/lib/rpm -o -d /usr/lib/sysimage/rpm ]; then
        rpm -q --qf 'package.%{NAME} %{VERSION}-%{RELEASE}.%{ARCH}\n' "$@" </dev/null 2>/dev/null | grep '^package\.'
        hv_says package.kernel-running rpm -q --whatprovides "/boot/vmlinuz-$hv_release"
    elif command -v dpkg-query >/dev/null 2>&1; then
        dpkg-query -W -f '${db:Status-Abbrev} package.${Package} ${Version}\n' "$@" "linux-image-$hv_release" \
            </dev/null 2>/dev/null | while read -r hv_state hv_key hv_value; do
            [ "$hv_state" != ii ] || hv_put "$hv_key" "$hv_value"
        done
    fi
    hv_says glibc getconf GNU_LIBC_VERSION
}
hv_sysctl() { # a number in these files can only be read at one go, not as the shell does it
    command -v grep >/dev/null 2>&1 && (
        cd /proc/sys && grep -sH '' kernel/numa_balancing kernel/nmi_watchdog kernel/watchdog kernel/tainted \
            kernel/randomize_va_space kernel/perf_event_paranoid kernel/sched_rt_runtime_us \
            kernel/sched_autogroup_enabled kernel/timer_migration vm/swappiness vm/overcommit_memory vm/nr_hugepages \
            vm/dirty_ratio vm/dirty_background_ratio vm/dirty_expire_centisecs vm/zone_reclaim_mode \
            vm/min_free_kbytes vm/vfs_cache_pressure net/core/rmem_max net/core/wmem_max \
            net/core/netdev_max_backlog net/core/default_qdisc net/ipv4/tcp_rmem net/ipv4/tcp_wmem \
            net/ipv4/tcp_congestion_control fs/file-max
    ) | while IFS=: read -r hv_key hv_value; do
        hv_put "sysctl.$hv_key" "$hv_value"
    done
    for hv_path in enabled defrag; do
        hv_file "hugepages.$hv_path" "/sys/kernel/mm/transparent_hugepage/$hv_path"
    done
    hv_file hugepages.ksm /sys/kernel/mm/ksm/run
}
hv_mounts() { # and what the scratch folder is on
    hv_found=
    while read -r hv_device hv_point hv_type hv_options hv_rest; do
        case $hv_type in
            proc | sysfs | cgroup* | devpts | mqueue | securityfs | debugfs | tracefs | bpf | pstore | autofs | squashfs) continue ;;
            configfs | binfmt_misc | fusectl | efivarfs | rpc_pipefs | nsfs | hugetlbfs | devtmpfs | fuse.lxcfs) continue ;;
        esac
        case $hv_point in /run/user/* | /var/lib/docker/* | /var/lib/containers/*) continue ;; esac
        hv_put "mount.$hv_point" "$hv_type $hv_device $hv_options"
        case $hv_scratch/ in
            ${hv_point%/}/*) [ "${#hv_point}" -lt "${#hv_found}" ] || {
                hv_found=$hv_point
                hv_scratch_type=$hv_type
                hv_scratch_device=$hv_device
            } ;;
        esac
    done </proc/mounts
    [ -n "$hv_found" ] || return 0
    hv_put scratch.filesystem "$hv_scratch_type"
    hv_put scratch.device "$hv_scratch_device"
    hv_disk=$(readlink -f "$hv_scratch_device" 2>/dev/null)
    hv_disk=$(readlink -f "/sys/class/block/${hv_disk##*/}" 2>/dev/null)
    [ -d "$hv_disk" ] || return 0
    [ -d "$hv_disk/queue" ] || hv_disk=${hv_disk%/*}
    for hv_key in scheduler rotational read_ahead_kb nr_requests write_cache; do
        hv_file "scratch.$hv_key" "$hv_disk/queue/$hv_key"
    done
    hv_file scratch.model "$hv_disk/device/model"
}
hv_modules() {
    [ ! -r /proc/modules ] || while read -r hv_key hv_rest; do
        printf 'module.%s loaded\n' "$hv_key"
    done </proc/modules
}
hv_cpu() {
    while IFS=: read -r hv_key hv_value; do
        case $hv_key in
            '') break ;; # the first CPU is told of
            flags* | Features*) hv_put cpu.flags "${hv_value# }" ;;
            microcode*) hv_put cpu.microcode "${hv_value# }" ;;
            'cache size'*) hv_put cpu.cache "${hv_value# }" ;;
            stepping*) hv_put cpu.stepping "${hv_value# }" ;;
        esac
    done </proc/cpuinfo
    hv_cpus=/sys/devices/system/cpu
    for hv_path in "$hv_cpus"/vulnerabilities/*; do
        hv_file "mitigation.${hv_path##*/}" "$hv_path"
    done
    for hv_path in "$hv_cpus"/cpu0/cache/index*/size; do # the last is the largest
        [ ! -r "$hv_path" ] || hv_cache=$hv_path
    done
    [ -z "${hv_cache:-}" ] || hv_file cpu.last_level_cache "$hv_cache"
    hv_file cpu.smt "$hv_cpus/smt/control"
    hv_file cpu.isolated "$hv_cpus/isolated"
    hv_file cpu.turbo_off "$hv_cpus/intel_pstate/no_turbo"
    hv_file cpu.boost "$hv_cpus/cpufreq/boost"
    hv_file cpu.scaling_driver "$hv_cpus/cpu0/cpufreq/scaling_driver"
    hv_file cpu.scaling_max_khz "$hv_cpus/cpu0/cpufreq/scaling_max_freq"
    hv_file cpu.scaling_min_khz "$hv_cpus/cpu0/cpufreq/scaling_min_freq"
    hv_file cpu.idle_driver "$hv_cpus/cpuidle/current_driver"
    for hv_path in /sys/devices/system/node/node[0-9]*; do
        hv_says "numa.${hv_path##*/}.cpus" cat "$hv_path/cpulist"
        hv_file "numa.${hv_path##*/}.distance" "$hv_path/distance"
    done
}
hv_tools() {
    hv_says compiler.cc cc --version
    hv_says compiler.gcc gcc --version
    hv_says compiler.gfortran gfortran --version
    hv_says compiler.clang clang --version
    hv_says compiler.mpicc mpicc --version
    hv_says mpi.mpirun mpirun --version
    hv_says mpi.mpichversion mpichversion
    hv_says shell.sh readlink -f /bin/sh
    hv_says virt systemd-detect-virt
}
hv_environment() {
    hv_os
    hv_packages
    hv_sysctl
    hv_mounts
    hv_modules
    hv_cpu
    hv_tools
}
