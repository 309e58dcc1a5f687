#!/usr/bin/env bash
# `make run`: builds, then starts nginx with the module on an embedded store,
# and the simulator where no upstream is given. Returns with all of it in the
# background; run again, it restarts and keeps store and key.
# Inputs: PORT, WORKERS, AIGW_UPSTREAM, AIGW_UPSTREAM_KEY_FILE, BUILD.
set -eu
. "$(dirname "$0")/lib.sh"

port=${PORT:-8080}
workers=${WORKERS:-auto}
cli=$build/aigw
ca=/etc/ssl/certs/ca-certificates.crt


check_inputs() {
    case $port in
        ''|*[!0-9]*) die "PORT is a number: '$port'" ;;
    esac
    [ "$port" -ge 1 ] && [ "$port" -le 65535 ] \
        || die "PORT is from 1 to 65535: '$port'"
    case $workers in
        auto|[1-9]|[1-9][0-9]) ;;
        *) die "WORKERS is auto, or from 1 to 99: '$workers'" ;;
    esac
    [ -z "${AIGW_UPSTREAM:-}" ] || check_upstream
}


# Sets scheme, host, address (with its port) and url of the upstream.
check_upstream() {
    local form='^(https?)://([A-Za-z0-9.-]+)(:([0-9]+))?(/v1)?/?$' default=443
    [[ $AIGW_UPSTREAM =~ $form ]] || die "AIGW_UPSTREAM is a base URL such as" \
        "https://4sapi.com/v1: '$AIGW_UPSTREAM'"
    scheme=${BASH_REMATCH[1]}
    host=${BASH_REMATCH[2]}
    [ "$scheme" = https ] || default=80
    address=$host:${BASH_REMATCH[4]:-$default}
    url=$scheme://$host${BASH_REMATCH[3]}
    [ -n "${AIGW_UPSTREAM_KEY_FILE:-}" ] || die "AIGW_UPSTREAM needs a key:" \
        "put it into a file and name that in AIGW_UPSTREAM_KEY_FILE"
    [ -s "$AIGW_UPSTREAM_KEY_FILE" ] || die "AIGW_UPSTREAM_KEY_FILE:" \
        "'$AIGW_UPSTREAM_KEY_FILE' cannot be read or is empty"
    [ "$scheme" = http ] || [ -r $ca ] \
        || die "$ca is missing: install ca-certificates"
}


port_answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}


# Looked at before anything of ours is stopped, unless it is ours.
check_port() {
    local old=
    [ ! -r "$run_env" ] || old=$(value AIGW_BASE_URL)
    if [ "$old" = "http://127.0.0.1:$port/v1" ]; then
        stop_all
    fi
    if port_answers; then
        die "port $port is taken by another program; try: make run PORT=$((port + 1))"
    fi
    stop_all
}


value() {
    sed -n "s/^$1=//p" "$run_env"
}


# `sudo make run` leaves nothing that a later `make` of the checkout's owner
# could not read or replace, but for the state.
give_back() {
    local owner
    owner=$(stat -c %u:%g .)
    if [ "$(id -u)" = 0 ] && [ "$owner" != 0:0 ]; then
        find "$1" -path "$near" -prune -o -exec chown -h "$owner" {} +
    fi
}


build_all() {
    echo "building ..."
    "${MAKE:-make}" -s --no-print-directory -j "$(nproc)" \
        BUILD="${BUILD:-build}" all
    give_back "$build"
}


choose_state() {
    state=$near
    if ! workers_reach "$build"; then
        state=$far
    fi
    mkdir -p "$state"
    [ -O "$state" ] || die "$state is of user $(stat -c %U "$state"): run it" \
        "as that user (root: sudo make run), or begin anew after sudo make clean"
    chmod 711 "$state"
    store=$state/store
    socket=$state/admin.sock
    # a socket's name is short
    [ ${#socket} -le 100 ] || socket=/tmp/aigw-admin-$(id -u)-$port.sock
}


random_key() {
    printf 'sk-'
    od -An -tx1 -N24 /dev/urandom | tr -d ' \n'
    echo
}


start_simulator() {
    local tries=100
    scheme=http
    host=simulator
    [ -s "$state/sim.key" ] || (umask 077; random_key >"$state/sim.key")
    setsid "$build/aigw-sim" --listen 127.0.0.1:0 --delay-ms 40 \
        --key-file "$state/sim.key" \
        </dev/null >"$state/sim.out" 2>"$state/sim.log" &
    echo $! >"$state/sim.pid"
    until address=$(sed -n 's/^listen //p' "$state/sim.out" | grep .); do
        tries=$((tries - 1))
        if [ $tries = 0 ] || ! alive "$(cat "$state/sim.pid")"; then
            die "the simulator did not start: $(tail -n 1 "$state/sim.log")"
        fi
        sleep 0.05
    done
    url=http://$address
}


make_store() {
    if [ ! -d "$store" ]; then
        echo "making a new store ..."
        "$cli" -q store init "$store" >/dev/null
    fi
    "$cli" -q setting set base_url "$base_url" >/dev/null
    "$cli" -q upstream set "$upstream" --url "$url" --key-file "$key_file" \
        >/dev/null
}


# A file of docs/ as users include it, but for what is theirs to change: each
# OLD in it becomes NEW.
snippet() {
    local file=$1 text
    shift
    text=$(cat "docs/$file")
    while [ $# -gt 0 ]; do
        case $text in
            *"$1"*) text=${text//"$1"/"$2"} ;;
            *) die "docs/$file has no '$1'" ;;
        esac
        shift 2
    done
    printf '%s\n' "$text" >"$state/$file"
}


write_conf() {
    local user=
    [ "$(id -u)" != 0 ] || user='user www-data;'
    mkdir -p "$state/tmp"
    snippet aigw-http.conf \
        'ai_gateway_store /var/lib/aigw;' 'ai_gateway_store store;' \
        'upstream 4sapi {' "upstream $upstream {" \
        'server 4sapi.com:443 ' "server $address "
    snippet aigw-server.conf \
        'ai_gateway_upstream 4sapi;' "ai_gateway_upstream $upstream;" \
        '/var/log/nginx/aigw.log' 'access.log' \
        'proxy_pass https://4sapi;' "proxy_pass $scheme://$upstream;" \
        'Host 4sapi.com;' "Host ${url#*://};" \
        'proxy_ssl_name 4sapi.com;' "proxy_ssl_name $host;"
    snippet aigw-admin.conf 'unix:/run/aigw.sock;' "unix:$socket;" \
        '/var/log/nginx/aigw.log' 'access.log'
    snippet aigw-origin.conf 'unix:/run/aigw.sock;' "unix:$socket;" \
        '/var/log/nginx/aigw.log' 'access.log'
    cat >"$state/nginx.conf" <<EOF
# Written by \`make run\`, anew each time. An example to keep and to change is
# nginx.conf.example.
load_module "$build/ngx_ai_gateway_module.so";
$user
worker_processes $workers;
pid nginx.pid;
error_log error.log warn;

events {
    worker_connections 1024;
}

http {
    include aigw-http.conf;

    access_log access.log aigw;

    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;

    server {
        listen 127.0.0.1:$port;
        server_name localhost;

        include aigw-server.conf;
        include aigw-admin.conf;
        include aigw-origin.conf;

        location / {
            return 404;
        }
    }
}
EOF
}


# Behind /admin/. It is the store's owner, who can read the store's key file.
start_serve() {
    local tries=100
    : >"$state/serve.log"
    setsid "$cli" serve --socket "$socket" \
        </dev/null >>"$state/serve.log" 2>&1 &
    echo $! >"$state/serve.pid"
    until grep -q '^aigw serve: ready' "$state/serve.log"; do
        tries=$((tries - 1))
        if [ $tries = 0 ] || ! alive "$(cat "$state/serve.pid")"; then
            die "aigw serve did not start: $(tail -n 1 "$state/serve.log")"
        fi
        sleep 0.05
    done
}


start_nginx() {
    : >>"$state/error.log"
    if ! nginx -p "$state/" -c "$state/nginx.conf" -e "$state/error.log" \
        </dev/null >"$state/nginx.out" 2>&1
    then
        cat "$state/nginx.out" >&2
        die "nginx did not start"
    fi
}


# The status of GET /v1/models with the key KEY, which no command line shows.
ask_models() {
    curl -s --noproxy '*' -m 5 -o /dev/null -w '%{http_code}' -H @- \
        "$base_url/models" <<<"Authorization: Bearer $1" || true
}


wait_for_nginx() {
    local tries=100
    until [ "$(ask_models "${key:-none}")" != 000 ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || die "nginx does not answer:" \
            "$(tail -n 1 "$state/error.log")"
        sleep 0.1
    done
}


# The answer of a command that makes a key, to the key.
key_in() {
    grep -o 'aigw_[0-9A-Za-z]\{49\}'
}


project_active() {
    "$cli" project show "$project" --json | grep -Eq '"active": *true'
}


make_project() {
    ! "$cli" project show "$project" >/dev/null 2>&1 || return 0
    echo "making project $project ..."
    key=$("$cli" project create "$project" --quota 10 --models '*' \
        --expires 30d --json | key_in)
}


# Sets project and key; what is kept may be disabled or older than 30 days.
find_project() {
    project=demo
    key=
    [ ! -r "$run_env" ] || key=$(value AIGW_API_KEY)
    make_project
    if ! project_active; then
        echo "project demo is disabled or has expired"
        project=demo-$(date +%Y%m%d)
        make_project
    fi
}


# The key of run.env may be lost, revoked, or of another project.
renew_key() {
    [ "$(ask_models "${key:-none}")" != 200 ] || return 0
    echo "making a new key ..."
    key=$("$cli" key create --project "$project" --name "run-$(date +%s)" \
        --json | key_in)
}


# Asks the upstream for its models: the store learns them for GET /v1/models,
# and a wrong key is told now and not by the first call.
learn_models() {
    "$cli" -q upstream test "$upstream" >/dev/null \
        || echo "warning: $url does not answer as it should, see above"
}


# A link that logs in as admin, once: there is no default password.
make_link() {
    "$cli" -q setting set admin_url "${admin_url%/admin/}" >/dev/null
    link=$("$cli" user link admin --expires 1h --json \
        | sed -n 's/.*"url": *"\([^"]*\)".*/\1/p')
}


write_run_env() {
    local new=$run_env.new
    (
        umask 077
        cat >"$new" <<EOF
AIGW_BASE_URL=$base_url
AIGW_API_KEY=$key
AIGW_STORE=$store
AIGW_CLI=$cli
AIGW_NGINX_PID=$(cat "$state/nginx.pid")
AIGW_ADMIN_URL=$admin_url
AIGW_SERVE_PID=$(cat "$state/serve.pid")
EOF
    )
    chmod 600 "$new"
    mv "$new" "$run_env"
    give_back "$run_env"
}


say_what_runs() {
    local sudo=
    [ "$(id -u)" != 0 ] || sudo='sudo '
    echo
    echo "The gateway runs, nginx in the background. Only this machine reaches it."
    if [ "$upstream" = simulator ]; then
        cat <<EOF
Behind it is the project's own SIMULATOR: it makes its answers up, costs
nothing, and takes any model name. For the real service:
    ${sudo}make run AIGW_UPSTREAM=https://4sapi.com/v1 AIGW_UPSTREAM_KEY_FILE=FILE
EOF
    else
        echo "Behind it is $AIGW_UPSTREAM: calls there may cost real money."
    fi
    cat <<EOF

    base URL   $base_url
    key        $key
    project    $project: may spend 10, on any model, for 30 days
    state      $state  (make clean removes it)
    for scripts: $run_env

Paste this; -N shows a stream as it comes:

curl $base_url/chat/completions -H 'Authorization: Bearer $key' -H 'Content-Type: application/json' -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'

curl -N $base_url/chat/completions -H 'Authorization: Bearer $key' -H 'Content-Type: application/json' -d '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Hello"}]}'

And what it did, and cost:

${sudo}$cli --store $store log list
${sudo}$cli --store $store project show $project

The admin API, for people and scripts; the link logs you in, once, within the hour:

    $link
    API page   ${admin_url}docs

To stop it: ${sudo}make stop
EOF
}


check_inputs
scripts/setup.sh run
mkdir -p "$build"
build_all
check_port
choose_state

base_url=http://127.0.0.1:$port/v1
admin_url=http://127.0.0.1:$port/admin/
export AIGW_STORE=$store

if [ -n "${AIGW_UPSTREAM:-}" ]; then
    upstream=4sapi
    key_file=$AIGW_UPSTREAM_KEY_FILE
else
    upstream=simulator
    key_file=$state/sim.key
    start_simulator
fi

make_store
find_project
write_conf
start_serve
start_nginx
wait_for_nginx
renew_key
learn_models
make_link
write_run_env
say_what_runs
