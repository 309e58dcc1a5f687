# The harness of the end-to-end tests: one object is a store, a simulated
# 4sapi and an nginx with the module between them, in a directory of its own.
# finish() ends a test file and adds the checks that every file owes
# (AIGW::Check). Core modules only.
#
#   my $t = AIGW->new(workers => 2);
#   my $key = $t->project('alice', '--models', 'gpt-4o*');
#   my $r = $t->chat($key);
#   is($r->status, 200);
#   $t->finish;
#
# From the environment: AIGW_BUILD (default build/), AIGW_NGINX (the binary),
# TEST_VERBOSE=1 (commands), TEST_CATLOG=1 (prints error.log), TEST_LEAVE=1
# (keeps the directory), TEST_DEBUG=1 (error_log debug, where nginx prints keys:
# no search for them).

package AIGW;

use v5.36;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use Test::More ();
use Time::HiRes qw(time sleep);

use AIGW::Check;
use AIGW::HTTP;
use AIGW::Process;
use AIGW::Sim;

our $root = abs_path(dirname(__FILE__) . '/../..');
our $build = abs_path($ENV{AIGW_BUILD} // "$root/build") // "$root/build";
our $nginx = $ENV{AIGW_NGINX} // '/usr/sbin/nginx';

my $owner = $$;
my (@remove, @ports);


# Options: workers, upstream ("HOST:PORT" in place of the simulator), sim (its
# options, a list), max_body, connections (of a worker), http, server, location
# (lines for that block of the configuration), start => 0 (nginx is started by
# the test).
sub new ($class, %opt) {
    my $self = bless {
        workers => 1, start => 1, max_body => '64m', connections => 1024,
        %opt,
        dir => File::Temp::tempdir('aigw-XXXXXXXX', TMPDIR => 1),
        port => free_port(), answers => [], secrets => {}, extra_rows => 0,
        extra_unlogged => 0, left => 0, transcript => '', alerts => [],
    }, $class;
    my $dir = $self->{dir};

    push @remove, $dir;
    chmod 0755, $dir or die "$dir: $!\n";
    make_path("$dir/secret", "$dir/temp");
    chmod 0700, "$dir/secret";

    my $subkey = 'sk-canary' . random_text(39);

    $self->{subkey_file} = $self->secret_file('subkey', $subkey);
    $self->{secrets}{'the upstream\'s key'} = $subkey;
    $self->{sim} = AIGW::Sim->new("$build/aigw-sim", '--key-file',
        $self->{subkey_file}, @{ $opt{sim} // [] });

    $self->run('store', 'init', "$dir/store");
    AIGW::Check::plant_master_key($self);
    $self->run('upstream', 'set', '4sapi', '--url',
        'http://' . $self->upstream, '--key-file', $self->{subkey_file});

    if ($self->{start}) {
        $self->configure;
        $self->start;
    }

    return $self;
}


sub sim ($self) { return $self->{sim} }
sub dir ($self) { return $self->{dir} }
sub port ($self) { return $self->{port} }


sub upstream ($self) {
    return $self->{upstream} // '127.0.0.1:' . $self->{sim}->port;
}


# A port that is nobody else's until this process ends, however many tests run
# at once: bound here, but not listened on, it is given to no one who asks for
# any port, and left to those who name it, with SO_REUSEADDR.
sub free_port () {
    my $sock = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp',
        ReuseAddr => 1) or die "no free port: $!\n";

    push @ports, $sock;

    return $sock->sockport;
}


sub random_text ($len) {
    open my $fh, q(<:raw), q(/dev/urandom) or die "/dev/urandom: $!\n";
    read $fh, my ($bytes), $len;

    return join '', map { ('A'..'Z', 'a'..'z', 0..9)[$_ % 62] }
        unpack 'C*', $bytes;
}


# A file of mode 0600 that the search for secrets leaves out.
sub secret_file ($self, $name, $text) {
    my $path = "$self->{dir}/secret/$name";

    open my $fh, '>', $path or die "$path: $!\n";
    chmod 0600, $path;
    print $fh "$text\n";
    close $fh;

    return $path;
}


# --- the command line ---

# ($exit, $stdout, $stderr) of aigw with these arguments; an option hash may
# come first: { stdin => bytes }.
sub cli ($self, @args) {
    my %opt = ref $args[0] ? %{ shift @args } : ();
    my $err = "$self->{dir}/secret/cli.stderr";
    my $stdin;

    $stdin = $self->secret_file('cli.stdin', $opt{stdin})
        if defined $opt{stdin};
    Test::More::note("aigw @args") if $ENV{TEST_VERBOSE};

    my $p = AIGW::Process->start(["$build/aigw", @args], stderr => $err,
        stdin_file => $stdin, env => { AIGW_STORE => "$self->{dir}/store" });
    my $out = $p->output;
    my $status = defined $out ? $p->wait : $p->stop('KILL');

    $out //= '';
    $err = slurp($err);
    Test::More::diag("aigw @args: wait status $status")
        if $status !~ /^\d+$/ || $status & 127;

    my $text = "aigw @args\n$out$err";

    $self->keep_key($out, \$text);
    $self->{transcript} .= $text;

    return ($status >> 8, $out, $err);
}


# A new key may be printed once, where it is created, and what stands for a
# login in as many forms as its answer has.
sub keep_key ($self, $out, $text) {
    if ($out =~ /"key":\s*"(aigw_\w+)"/) {
        $self->{secrets}{"client key $1"} = $1;
        $$text =~ s/\Q$1/(shown once)/;
    }

    if ($out =~ /"(token|bootstrap_token)":\s*"(\w{20,})"/) {
        $self->{secrets}{"$1 $2"} = $2;
        $$text =~ s/\Q$2/(shown once)/g;
    }
}


# The same with --json, which must succeed: the value.
sub json ($self, @args) {
    return JSON::PP::decode_json($self->json_text(@args));
}


sub json_text ($self, @args) {
    my ($exit, $out, $err) = $self->cli(@args, '--json');

    die "aigw @args: exit $exit\n$out$err" if $exit;

    return $out;
}


# The same without looking at the answer.
sub run ($self, @args) {
    my ($exit, $out, $err) = $self->cli(@args);

    die "aigw @args: exit $exit\n$out$err" if $exit;
}


# Makes a project (all models, unless told) and returns its key.
sub project ($self, $name, @options) {
    push @options, '--models', '*' unless grep { $_ eq '--models' } @options;

    return $self->json('project', 'create', $name, @options)->{key};
}


# A further key: (key, name).
sub key ($self, $project, $name, @options) {
    return $self->json('key', 'create', '--project', $project,
        '--name', $name, @options)->{key};
}


# A row as `log list` prints it, if there is no object in it.
my $row_re = qr/\{"id":(?:[^{}"\\]++|"(?:[^"\\]++|\\.)*+")*+\}/;


# An eighth of the time that JSON::PP takes, which gets what is not plain.
sub decode_row ($text) {
    state $word = { null => undef, true => JSON::PP::true,
        false => JSON::PP::false };
    my %row;

    while ($text =~ /\G[{,]"(\w+)":(?:"([^"\\[:^ascii:]]*)"|(0|[1-9]\d*)
        |(null|true|false)|\[\])(?=[,}])/gcx)
    {
        $row{$1} = $2 // (defined $3 ? 0 + $3 : defined $4 ? $word->{$4} : []);
    }

    return $text =~ /\G\}\z/gc ? \%row : JSON::PP::decode_json($text);
}


# All rows of the ledger, newest first.
sub rows ($self, @filter) {
    my ($next, @rows);

    do {
        my $text = $self->json_text('log', 'list', '--limit', 1000, @filter,
            defined $next ? ('--cursor', $next) : ());
        my @known;

        $text =~ s/($row_re)/push @known, decode_row($1); '1'/ge;

        my $page = JSON::PP::decode_json($text);

        push @rows, map { ref ? $_ : shift @known } @{ $page->{items} };
        $next = $page->{next};
    } while (defined $next);

    return @rows;
}


# The row of an answer, within 1 s (design, section 8); {} if there is none.
sub row ($self, $r) {
    my $deadline = time + 1;

    do {
        my ($exit, $out) = $self->cli('log', 'show', $r->id, '--json');

        return JSON::PP::decode_json($out) if $exit == 0;
        sleep 0.05;
    } while (time < $deadline);

    return {};
}


# Rows, once there are n of them or 1 s has passed.
sub wait_rows ($self, $n, @filter) {
    my $deadline = time + 1;
    my @rows = $self->rows(@filter);

    while (@rows < $n && time < $deadline) {
        sleep 0.05;
        @rows = $self->rows(@filter);
    }

    return @rows;
}


# --- requests ---

# One request on a connection of its own: see AIGW::HTTP::bytes for the query;
# conn: on that connection. nginx => 1: nginx itself will refuse it.
sub request ($self, %q) {
    my $c = delete $q{conn};
    my $own = $c ? undef : ($c = $self->connect);

    $c->{nginx} = $q{nginx};

    my $r = $c->ask(%q)->response($q{timeout} // 10);

    $own->close if $own;

    return $r;
}


sub connect ($self) {
    return AIGW::HTTP->new($self->{port}, on_head => sub ($c, $r) {
        $r->{nginx} = $c->{nginx};
        push @{ $self->{answers} }, $r;
    });
}


# A chat call with this key; %more joins the body.
sub chat ($self, $key, %more) {
    return $self->request(key => $key, json => chat_body(%more));
}


# The same as a stream that is read by the test: the connection.
sub stream ($self, $key, %more) {
    return $self->connect->ask(key => $key,
        json => chat_body(stream => JSON::PP::true, %more));
}


sub chat_body (%more) {
    return {
        model => 'gpt-4o-mini',
        messages => [{ role => 'user', content => 'hello' }],
        %more,
    };
}


# Rows that no answer names (a client that left, a load generator's calls).
sub expect_rows ($self, $n) { $self->{extra_rows} += $n }

# The same for all clients that have left without an answer, of whom the module
# keeps some and counts the others: how many it counted, and the rows.
sub expect_left ($self) {
    my $unlogged = $self->json('store', 'stats')->{refusals_unlogged};
    my @left = grep {
        $_->{verdict} eq 'client_closed_request' && !$_->{attempts}
    } $self->rows;

    $self->{extra_unlogged} = $unlogged;
    $self->{extra_rows} += @left - $self->{left};
    $self->{left} = @left;

    return ($unlogged, @left);
}

# A line of error.log that is meant to be there although it is an alert.
sub allow_alert ($self, $re) { push @{ $self->{alerts} }, $re }

# Something that must be found nowhere.
sub secret ($self, $name, $bytes) { $self->{secrets}{$name} = $bytes }


# --- nginx ---

sub configure ($self) {
    my %value = (
        DIR => $self->{dir}, BUILD => $build, PORT => $self->{port},
        WORKERS => $self->{workers}, UPSTREAM => $self->upstream,
        USER => $> == 0 ? 'user www-data;' : '',
        LEVEL => $ENV{TEST_DEBUG} ? 'debug' : 'warn',
        map { uc $_ => $self->{$_} // '' } qw(main http server location
            max_body connections),
    );

    our $template //= do { local $/; <DATA> };

    my $text = $template =~ s/%%(\w+)%%/$value{$1}/gr;

    open my $fh, '>', "$self->{dir}/nginx.conf" or die "nginx.conf: $!\n";
    print $fh $text;
    close $fh;
}


sub start ($self) {
    my $dir = $self->{dir};
    my $deadline = time + 10;

    $self->{nginx} = AIGW::Process->start([$nginx, '-p', $dir,
        '-e', "$dir/error.log", '-c', "$dir/nginx.conf"],
        stderr => "$dir/nginx.stderr");

    while (!IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{port}))
    {
        if (time > $deadline || !$self->{nginx}->alive) {
            die "nginx does not start:\n" . slurp("$dir/nginx.stderr")
                . slurp("$dir/error.log");
        }

        sleep 0.01;
    }

    $self->wait_workers($self->{workers});

    # made by nginx: until then nobody knows where
    $self->{live} //= $self->json('store', 'stats')->{live_path};
    push @remove, $self->{live} if defined $self->{live};
}


# Until exactly n workers are there, none of them leaving: their pids.
sub wait_workers ($self, $n, $not = []) {
    my $deadline = time + 10;
    my @pids;

    do {
        my %old = map { $_ => 1 } @$not;

        @pids = $self->workers;
        return @pids if @pids == $n && !grep { $old{$_} } @pids;
        sleep 0.01;
    } while (time < $deadline);

    die "nginx has " . @pids . " workers, not $n\n";
}


# Workers that accept, by their process title.
sub workers ($self) {
    return grep {
        slurp("/proc/$_/cmdline") =~ /^nginx: worker process\0*$/
    } $self->{nginx}->children;
}


# New workers; old ones may still be busy with what they have.
sub reload ($self) {
    my @old = $self->workers;

    $self->{nginx}->signal('HUP');
    $self->wait_workers($self->{workers}, \@old);
}


# The wait status of a graceful end, 'killed' if it did not end.
sub stop ($self) {
    my $status = $self->{nginx}->stop('QUIT');

    delete $self->{nginx};

    return $status;
}


# kill -9 of master, workers and flushers at once.
sub kill_all ($self) {
    my @workers = $self->{nginx}->children;
    my @pids = ($self->{nginx}->pid, @workers,
        map { AIGW::Process::children_of($_) } @workers);

    kill 'KILL', @pids;
    $self->{nginx}->wait;

    AIGW::Process::gone(5, @pids) or die "nginx outlives a kill\n";
    delete $self->{nginx};
}


# --- the end ---

sub slurp ($path) {
    open my $fh, '<:raw', $path or return '';
    local $/;

    return scalar(<$fh>) // '';
}


sub finish ($self, %opt) {
    AIGW::Check::run($self, %opt);
    Test::More::done_testing();
    $self->clean;
}


# Ends what runs and removes what was made, without a check.
sub clean ($self) {
    $self->{nginx}->stop('TERM') if $self->{nginx};
    $self->{sim}->stop;

    if ($ENV{TEST_CATLOG}) {
        Test::More::diag(slurp("$self->{dir}/error.log"));
    }

    if ($ENV{TEST_LEAVE}) {
        Test::More::diag("left: $self->{dir}");
        return;
    }

    remove_tree(grep { defined } $self->{live}, $self->{dir});
}


END {
    if ($$ == $owner && !$ENV{TEST_LEAVE}) {
        my $status = $?;

        for my $dir (grep { -d } @remove) {
            Test::More::diag("\n" . slurp("$dir/error.log"))
                if $status && -s "$dir/error.log"
                && -s _ < 10_000;
            remove_tree($dir);
        }

        $? = $status;
    }
}

1;

__DATA__
%%USER%%
daemon off;
worker_processes %%WORKERS%%;
pid %%DIR%%/nginx.pid;
error_log %%DIR%%/error.log %%LEVEL%%;
load_module %%BUILD%%/ngx_ai_gateway_module.so;
%%MAIN%%

events {
    worker_connections %%CONNECTIONS%%;
}

http {
    log_format test 'status=$status\tproject=$ai_gateway_project\t'
        'key=$ai_gateway_key\tmodel=$ai_gateway_model\t'
        'prompt_tokens=$ai_gateway_prompt_tokens\t'
        'completion_tokens=$ai_gateway_completion_tokens\t'
        'cost=$ai_gateway_cost\tverdict=$ai_gateway_verdict\t'
        'id=$sent_http_x_request_id\tauthorization=$http_authorization\t'
        'request=$request';
    access_log %%DIR%%/access.log test;

    client_body_temp_path %%DIR%%/temp/body;
    proxy_temp_path %%DIR%%/temp/proxy;
    fastcgi_temp_path %%DIR%%/temp/fastcgi;
    uwsgi_temp_path %%DIR%%/temp/uwsgi;
    scgi_temp_path %%DIR%%/temp/scgi;

    keepalive_requests 100000;

    ai_gateway_store %%DIR%%/store;
    ai_gateway_flush_interval 100ms;
    %%HTTP%%

    upstream sim4s {
        server %%UPSTREAM%%;
        keepalive 16;
        keepalive_requests 100000;
    }

    server {
        listen 127.0.0.1:%%PORT%%;
        %%SERVER%%

        location /v1/ {
            ai_gateway on;
            ai_gateway_upstream 4sapi;

            proxy_pass http://sim4s;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_ignore_client_abort on;
            client_max_body_size %%MAX_BODY%%;
            client_body_buffer_size 128k;
            %%LOCATION%%
        }
    }
}
