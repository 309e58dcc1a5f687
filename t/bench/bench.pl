# What the gateway costs: `make bench`. Two bare nginx (the second one shows
# the noise) and one with the module, each a single worker on one processor;
# upstream and clients have the other, and never sleep there: to wake them
# would cost the worker the more, the more they wait for it. A machine that is
# shared may be half as fast again a second later, and one start of a server
# may lie better in the caches than the next. So runs are short; in each turn
# every one of the three follows every other once, and each round starts them
# anew. Prints one table of ratios to bare nginx, of what each had in the best
# quarter of its runs: what else goes on can only take time. Medians of the
# turns, in which it has its part, stand below.
#
# From the environment: ROUNDS (3, of 8 turns each), ONLY (a pattern of scenario
# names), AIGW_BUILD, AIGW_NGINX.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use JSON::PP ();
use Time::HiRes qw(time sleep);

use AIGW;

my @names = qw(bare again ours);
my @order = qw(bare again bare ours again ours);
my $rounds = $ENV{ROUNDS} // 3;
my $turns = 8;
my $only = $ENV{ONLY} // '';
my $streams = 1000;

# The last processor is the workers'.
my $ncpus = () = AIGW::slurp('/proc/cpuinfo') =~ /^processor\b/mg;
my ($worker_cpu, $other_cpu) = ($ncpus - 1, 0);

# tokens and delay_ms: of the answer. chunks: an event is one of them.
my @scenarios = (
    { name => 'JSON, 1 KB', body => chat(1024), tokens => 16,
      requests => 1000 },
    { name => 'JSON, 100 KB', body => chat(102400), tokens => 16,
      requests => 250 },
    { name => 'JSON, answer of 100 KB', body => chat(1024), tokens => 20000,
      requests => 250 },
    { name => 'SSE, 40 events at once', body => chat(1024, 1), tokens => 40,
      requests => 500 },
    { name => 'SSE, 200 events, paced', body => chat(1024, 1), tokens => 200,
      requests => 64, connections => 16, delay_ms => 1, chunks => 1 },
);

my $t = AIGW->new(start => 0, sim => ['--spin']);
my %server;

bench();
$t->clean;


# A chat request of that many bytes, as prose has its bytes.
sub chat ($bytes, $stream = 0) {
    my $head = '{"model":"gpt-4o-mini",' . ($stream
        ? '"stream":true,"stream_options":{"include_usage":true},' : '')
        . '"messages":[{"role":"user","content":"';
    my $tail = '"}]}';
    my $text = 'Summarise the paper below for a reader who knows nothing of'
        . ' it. Say \"in short\" once, at most.\n\nThe authors – four of'
        . ' them – measured how long a request waits, and found that the'
        . ' queue, not the work, takes most of the time.\n';

    return $head . pad($text, $bytes - length "$head$tail") . $tail;
}


# Whole pieces of text, then dots.
sub pad ($text, $bytes) {
    my $n = int $bytes / length $text;

    return $text x $n . '.' x ($bytes - $n * length $text);
}


sub bench () {
    my $key = $t->secret_file('client', $t->project('bench'));

    pin($t->sim->{process}->pid, $other_cpu);

    my @found = map { measure($_, $key) }
        grep { $_->{name} =~ /(?:$only)/ } @scenarios;

    push @found, memory($key) if 'open streams' =~ /(?:$only)/;
    table(@found);
}


# --- the three ---

sub config ($name, $port) {
    my $ours = $name eq 'ours';
    my $dir = "$t->{dir}/$name";
    my $user = $> == 0 ? 'user www-data;' : '';
    my ($load, $store, $guard) = $ours ? (
        "load_module $AIGW::build/ngx_ai_gateway_module.so;",
        "ai_gateway_store $t->{dir}/store;", 'ai_gateway on;'
    ) : ('', '', '');

    return <<"END";
$load
$user
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid $dir/nginx.pid;
error_log $dir/error.log warn;

events {
    worker_connections 4096;
}

http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    keepalive_requests 1000000;
    $store

    upstream sim {
        server @{[ $t->upstream ]};
        keepalive 128;
        keepalive_requests 1000000;
    }

    server {
        listen 127.0.0.1:$port backlog=4096;

        location /v1/ {
            $guard
            proxy_pass http://sim;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffers 16 16k;
            proxy_ignore_client_abort on;
            client_max_body_size 64m;
            client_body_buffer_size 128k;
        }
    }
}
END
}


sub start ($name) {
    my $dir = "$t->{dir}/$name";
    my $port = AIGW::free_port();

    mkdir $dir;
    open my $fh, '>', "$dir/nginx.conf" or die "$dir: $!\n";
    print $fh config($name, $port);
    close $fh;

    my $p = AIGW::Process->start(['taskset', '-c', $worker_cpu, $AIGW::nginx,
        '-p', $dir, '-e', "$dir/error.log", '-c', "$dir/nginx.conf"],
        stderr => "$dir/stderr");
    my $deadline = time + 10;
    my $worker;

    while (!defined $worker || !IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $port))
    {
        die AIGW::slurp("$dir/stderr") . AIGW::slurp("$dir/error.log")
            if time > $deadline || !$p->alive;
        sleep 0.01;
        ($worker) = grep {
            AIGW::slurp("/proc/$_/cmdline") =~ /^nginx: worker process\0*$/
        } $p->children;
    }

    $t->{live} //= $t->json('store', 'stats')->{live_path} if $name eq 'ours';

    return { name => $name, process => $p, worker => $worker, port => $port };
}


sub stop ($s) {
    my $log = AIGW::slurp("$t->{dir}/$s->{name}/error.log");

    $s->{process}->stop('QUIT', 20);
    warn "$s->{name}: $log" if length $log;
}


sub pin ($pid, $cpu) {
    AIGW::Process->start(['taskset', '-pc', $cpu, $pid])->wait == 0
        or die "taskset failed\n";
}


# --- one run ---

# Nanoseconds that these processes have run.
sub cpu (@pids) {
    my $sum = 0;

    $sum += (AIGW::slurp("/proc/$_/schedstat") =~ /^(\d+)/)[0] for @pids;

    return $sum;
}


sub load_process ($s, $body_file, $connections, $requests) {
    return AIGW::Process->start(['taskset', '-c', $other_cpu,
        "$AIGW::build/aigw-sim", '--load',
        "http://127.0.0.1:$s->{port}/v1/chat/completions",
        '--spin', '--connections', $connections, '--requests', $requests,
        '--key-file', $s->{key_file}, '--body-file', $body_file]);
}


sub answers ($s, $p, $requests) {
    my $found = JSON::PP::decode_json($p->output(60) // '{}');

    $p->wait;
    die "$s->{name}: not $requests answers 200: "
        . JSON::PP->new->canonical->encode($found) . "\n"
        if ($found->{status}{200} // 0) != $requests;

    return $found;
}


sub load ($s, $scenario, $connections, $requests) {
    return answers($s, load_process($s, $scenario->{file}, $connections,
        $requests), $requests);
}


# main: of the event loop alone.
sub run ($s, $scenario) {
    my $before = cpu($s->{worker});
    my $n = $scenario->{requests};
    my $found = load($s, $scenario, $scenario->{connections} // 32, $n);
    my $main = (cpu($s->{worker}) - $before) / $n;
    my $alone = load($s, $scenario, 1, $scenario->{delay_ms} ? 4 : 100);

    return {
        'req/s' => $found->{per_second},
        'CPU/request' => $main,
        $scenario->{chunks} ? ('CPU/chunk' => $main) : (),
        'first byte' => $alone->{first_p50_us},
        main => $main,
    };
}


# Nanoseconds of the flusher for each of many requests.
sub flusher ($s, $scenario) {
    my @flushers = AIGW::Process::children_of($s->{worker});
    my $n = $scenario->{requests} * ($scenario->{delay_ms} ? 1 : $turns);

    sleep 0.25;

    my $before = cpu(@flushers);

    load($s, $scenario, $scenario->{connections} // 32, $n);
    sleep 0.25;

    return (cpu(@flushers) - $before) / $n;
}


# --- many runs ---

sub mean (@x) {
    my $sum = 0;

    $sum += $_ for @x;

    return $sum / @x;
}


sub median (@x) {
    @x = sort { $a <=> $b } @x;

    return @x % 2 ? $x[$#x / 2] : mean(@x[@x / 2 - 1, @x / 2]);
}


# The runs of a round's turns, by name. The flusher works on behind the runs:
# what it has to do for a request is told by a long one of its own.
sub round_of ($scenario, $key) {
    my @turns;

    for my $name (@names) {
        $server{$name} = start($name);
        $server{$name}{key_file} = $name eq 'ours' ? $key : $t->{subkey_file};
        run($server{$name}, $scenario);
    }

    for (1 .. $turns) {
        my %runs;

        for my $name (@order) {
            $t->sim->reset;
            push @{ $runs{$name} }, run($server{$name}, $scenario);
        }

        push @turns, \%runs;
    }

    my $share = flusher($server{ours}, $scenario);

    for my $run (map { @{ $_->{ours} } } @turns) {
        $run->{$_} += $share for grep { /CPU/ } keys %$run;
    }

    stop($_) for values %server;

    return @turns;
}


# What a server had in the best quarter of its runs.
sub best ($column, @runs) {
    my @x = sort { $a <=> $b } map { $_->{$column} } @runs;

    @x = reverse @x if $column eq 'req/s';

    return mean(@x[0 .. (@x - 1) / 4]);
}


# { name, ours => {}, noise => {}, turns => [] }: ratios, the last those of the
# CPU of each turn.
sub measure ($scenario, $key) {
    my (%all, %ours, %noise, @turns);

    $scenario->{file} = "$t->{dir}/body";
    open my $fh, '>', $scenario->{file} or die "body: $!\n";
    print $fh $scenario->{body};
    close $fh;

    $t->sim->set(tokens => $scenario->{tokens},
        delay_ms => $scenario->{delay_ms} // 0);

    for my $runs (map { round_of($scenario, $key) } 1 .. $rounds) {
        push @{ $all{$_} }, @{ $runs->{$_} } for @names;

        my ($bare, $again, $ours) = map {
            mean(map { $_->{'CPU/request'} } @{ $runs->{$_} })
        } @names;

        push @turns, $ours / mean($bare, $again);
    }

    for my $column (keys %{ $all{bare}[0] }) {
        my ($bare, $again, $ours) = map { best($column, @{ $all{$_} }) } @names;

        $ours{$column} = $ours / mean($bare, $again);
        $noise{$column} = $again / $bare;
    }

    return { name => $scenario->{name}, ours => \%ours, noise => \%noise,
        turns => \@turns };
}


# --- open streams ---

sub resident ($s) {
    return AIGW::slurp("/proc/$s->{worker}/status") =~ /^VmRSS:\s+(\d+)/m
        ? $1 : 0;
}


# Memory of a fresh worker with that many streams open, less what it has after
# a few of them.
sub open_streams ($name, $key) {
    my $s = start($name);
    my $scenario = { file => "$t->{dir}/body" };

    $s->{key_file} = $name eq 'ours' ? $key : $t->{subkey_file};
    $t->sim->reset;
    $t->sim->set(tokens => 10, delay_ms => 0);
    load($s, $scenario, 4, 40);

    my $before = resident($s);
    my $most = 0;

    $t->sim->set(tokens => 10, delay_ms => 300);

    my $p = load_process($s, $scenario->{file}, $streams, $streams);
    my $end = time + 2.5;

    while (time < $end) {
        my $now = resident($s);

        $most = $now if $now > $most;
        sleep 0.05;
    }

    answers($s, $p, $streams);
    stop($s);

    return $most - $before;
}


sub memory ($key) {
    my (%ratios, %noise);

    open my $fh, '>', "$t->{dir}/body" or die "body: $!\n";
    print $fh chat(1024, 1);
    close $fh;

    my ($bare, $again, $ours) = map { open_streams($_, $key) } @names;

    return {
        name => "SSE, $streams open streams",
        ours => { 'memory' => $ours / mean($bare, $again) },
        noise => { 'memory' => $again / $bare },
    };
}


# --- the table ---

sub table (@found) {
    my @columns = ('req/s', 'CPU/request', 'CPU/chunk', 'first byte',
        'memory');

    printf "Ours to bare nginx, in brackets bare nginx to itself; the best"
        . " quarter of %d runs each\n\n", 2 * $rounds * $turns;
    printf "%-26s" . ' %-13s' x @columns . "\n", '', @columns;

    for my $row (@found) {
        printf "%-26s", $row->{name};
        printf ' %-13s', cell($row, $_) for @columns;
        print "\n";
    }

    print "\nCPU/request, median of the turns: ", join(', ', map {
        sprintf '%s %.2f', $_->{name}, median(@{ $_->{turns} })
    } grep { $_->{turns} } @found), "\n";

    printf "%s: CPU of the event loop alone %.2f\n", $_->{name},
        $_->{ours}{main} for grep { $_->{name} =~ /1 KB/ } @found;
}


sub cell ($row, $column) {
    return '' if !defined $row->{ours}{$column};

    return sprintf '%.2f (%.2f)', $row->{ours}{$column},
        $row->{noise}{$column};
}
