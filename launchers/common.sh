# What the launchers share. To be sourced.

# The libraries that a program needs, with the loader: all that a root of its own must have beside it.
libraries() {
    ldd "$1" 2> /dev/null | grep -o '/[^ ]*' || true
}

# Goes into a PID and a mount namespace and runs the script again there, as `SCRIPT inside ARGUMENT...`. Whoever kills the
# process that this becomes ends all that was started inside, and what is mounted inside is gone with it.
enter_namespaces() {
    local user=()
    [ "$(id -u)" = 0 ] || user=(--user --map-root-user)
    exec unshare "${user[@]}" --mount --pid --fork --kill-child --mount-proc -- "$0" inside "$@"
}

# Who a worker is to be: nobody; or 0, in a user namespace that has no other.
user_inside() {
    if [ "$(tr -s ' ' < /proc/self/uid_map)" = ' 0 0 4294967295' ]; then echo 65534; else echo 0; fi
}

# Makes an OCI bundle in a folder: a read-only root with the worker, its libraries and a /proc, no network, no capability.
bundle() {
    local folder=$1 worker=$2 file uid
    uid=$(user_inside)
    mkdir -p "$folder/root/proc" "$folder/root/dev"
    while read -r file; do
        mkdir -p "$folder/root${file%/*}"
        touch "$folder/root$file"
        mount --bind "$(realpath "$file")" "$folder/root$file"
    done < <(libraries "$worker")
    touch "$folder/root/pycage"
    mount --bind "$worker" "$folder/root/pycage"
    cat > "$folder/config.json" << END
{
    "ociVersion": "1.0.2",
    "process": {
        "args": ["/pycage", "worker"], "cwd": "/", "env": ["PATH=/"], "user": {"uid": $uid, "gid": $uid},
        "noNewPrivileges": true,
        "capabilities": {"bounding": [], "effective": [], "inheritable": [], "permitted": [], "ambient": []}
    },
    "root": {"path": "root", "readonly": true},
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]}],
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}],
        "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug"],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
    }
}
END
}
