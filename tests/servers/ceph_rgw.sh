#!/bin/sh
# A Ceph cluster of one monitor, one store in memory and one S3 gateway on 127.0.0.1, for `make test-s3`.
#
#   ceph_rgw.sh start FOLDER PORT    installs what is missing (Debian's packages, as root), returns when S3 answers
#   ceph_rgw.sh stop FOLDER          ends what runs in FOLDER; FOLDER may be removed then
#
# Everything lies in FOLDER, nothing listens but on loopback, and objects are gone when it stops. The key is
# `stratakv`, the secret `of-loopback-only`. No manager runs: the gateway needs none.
set -eu

verb=${1:?start or stop}
folder=$(realpath -m "${2:?a folder}")
port=${3:-17480}
monitor_port=$((port + 1))
conf=$folder/ceph.conf
key=$folder/keyring

say() { echo "ceph_rgw: $*" >&2; }

need_packages() {
    missing=
    for pair in radosgw:radosgw ceph-mon:ceph-mon ceph-osd:ceph-osd ceph:ceph-common curl:curl; do
        command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "install first:$missing"
        exit 1
    fi
    say "installing$missing"
    apt-get update -qq >&2
    # shellcheck disable=SC2086  # a list of packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
}

write_configuration() {
    mkdir -p "$folder/run" "$folder/log" "$folder/gateway" "$folder/mon" "$folder/osd"
    cat >"$conf" <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon_host = [v2:127.0.0.1:$monitor_port]
mon_initial_members = one
ms_bind_msgr1 = false
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = $key
run_dir = $folder/run
admin_socket = $folder/run/\$name.\$pid.asok
log_file = $folder/log/\$name.log
crash_dir = $folder/log
auth_allow_insecure_global_id_reclaim = false
# One store, so one copy of everything, and room for the gateway's many pools.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_crush_chooseleaf_type = 0
mon_max_pg_per_osd = 1000
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
[mon]
mon_data = $folder/mon/\$id
[osd]
osd_data = $folder/osd/\$id
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_class_update_on_start = false
[client.rgw.one]
rgw_data = $folder/gateway
rgw_frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw_dynamic_resharding = false
CONF
}

write_keys() {
    ceph-authtool -C "$key" --gen-key -n mon. --cap mon 'allow *'
    ceph-authtool "$key" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
    ceph-authtool "$key" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
    ceph-authtool "$key" --gen-key -n client.rgw.one --cap mon 'allow rwx' --cap osd 'allow rwx'
}

# Start a daemon in a session of its own and keep its process id.
launch() {
    name=$1
    shift
    setsid "$@" -c "$conf" >"$folder/log/$name.out" 2>&1 </dev/null &
    echo $! >"$folder/$name.pid"
}

# Wait at most a minute for a command to succeed.
await() {
    what=$1
    shift
    tries=300
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" = 0 ]; then
            say "$what is not there after a minute; the logs:"
            tail -n 20 "$folder"/log/*.out >&2
            exit 1
        fi
        sleep 0.2
    done
}

osd_is_up() { ceph -c "$conf" osd stat | grep -q '1 up'; }

start() {
    need_packages
    if curl -s -o /dev/null --noproxy '*' "http://127.0.0.1:$port/"; then
        say "something listens on port $port already; choose another: make test-s3 S3_PORT=17680"
        exit 1
    fi
    write_configuration
    write_keys >"$folder/log/setup.out" 2>&1
    {
        monmaptool --create --addv one "[v2:127.0.0.1:$monitor_port]" \
            --fsid "$(sed -n 's/^fsid = //p' "$conf")" "$folder/monmap"
        mkdir -p "$folder/mon/one" "$folder/osd/0"
        ceph-mon --mkfs -i one -c "$conf" --monmap "$folder/monmap" --keyring "$key"
    } >>"$folder/log/setup.out" 2>&1
    launch mon ceph-mon -f -i one --keyring "$key"
    await "the monitor" timeout 10 ceph -c "$conf" mon stat
    store=$(cat /proc/sys/kernel/random/uuid)
    ceph -c "$conf" osd new "$store" >>"$folder/log/setup.out" 2>&1
    ceph-osd -i 0 -c "$conf" --mkfs --osd-uuid "$store" >>"$folder/log/setup.out" 2>&1
    launch osd ceph-osd -f -i 0
    await "the store" osd_is_up
    launch rgw radosgw -f -n client.rgw.one
    await "the gateway" curl -s -o /dev/null --noproxy '*' "http://127.0.0.1:$port/"
    radosgw-admin -c "$conf" user create --uid=stratakv --display-name=stratakv \
        --access-key=stratakv --secret-key=of-loopback-only >>"$folder/log/setup.out" 2>&1
    say "S3 answers at http://127.0.0.1:$port"
}

# End the gateway first, and wait for each: the store's memory is given back before the folder goes.
stop() {
    for name in rgw osd mon; do
        file=$folder/$name.pid
        [ -f "$file" ] || continue
        pid=$(cat "$file")
        kill "$pid" 2>/dev/null || true
        tries=50
        while kill -0 "$pid" 2>/dev/null; do
            tries=$((tries - 1))
            [ "$tries" != 0 ] || kill -9 "$pid" 2>/dev/null || true
            sleep 0.2
        done
        rm -f "$file"
    done
}

case $verb in
start) start ;;
stop) stop ;;
*) say "start or stop, not $verb" && exit 2 ;;
esac
