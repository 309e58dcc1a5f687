# `make run`, `make stop` and `make clean`, as a stranger uses them: what is
# printed is pasted, a second run keeps store and key, nothing is left behind.
# In a build folder of its own, so that a gateway that runs stays untouched.

use v5.36;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use AIGW;

my $dir = File::Temp::tempdir('aigw-run-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $build = "$dir/build";
my $port = AIGW::free_port();
my $owner = $$;

chmod 0755, $dir;
mkdir $build;
delete @ENV{qw(MAKEFLAGS MAKELEVEL AIGW_UPSTREAM WORKERS)};

# as it was built, with its times: nothing is built again
is(system('cp', '-a', map({ "$AIGW::build/$_" } qw(aigw aigw-sim libaigw.a
    ngx_ai_gateway_module.so nginx obj sources)), $build), 0, 'a copy');


# (exit status, what was printed)
sub command (@words) {
    my $p = AIGW::Process->start(\@words, stderr => "$dir/stderr");
    my $out = $p->output(120);

    return ($p->wait >> 8, ($out // '') . AIGW::slurp("$dir/stderr"));
}


sub make ($target, @variables) {
    return command('make', '-C', $AIGW::root, "BUILD=$build", "PORT=$port",
        @variables, $target);
}


sub run_env () {
    return { AIGW::slurp("$build/run.env") =~ /^(\w+)=(.*)$/mg };
}


# Pids of everything that has our folder in its command line.
sub left () {
    return grep { $_ != $$ && AIGW::slurp("/proc/$_/cmdline") =~ /\Q$dir\E/ }
        map { m{(\d+)} } glob '/proc/[0-9]*';
}


sub cli (@words) {
    my $env = run_env();

    return JSON::PP::decode_json((command($env->{AIGW_CLI}, '--store',
        $env->{AIGW_STORE}, '--json', @words))[1]);
}


# However this file ends, nothing of it runs on.
END {
    if ($$ == $owner && -d $build) {
        my $status = $?;

        make('clean');
        $? = $status;
    }
}


# --- the first run ---

my ($exit, $said) = make('run');
my $first = run_env();

is($exit, 0, 'make run') or diag($said);
like($said, qr/SIMULATOR/, 'it says that there is no real service behind');
is((stat "$build/run.env")[2] & 07777, 0600, 'mode of run.env');
is($first->{AIGW_BASE_URL}, "http://127.0.0.1:$port/v1", 'the base URL');
like(AIGW::slurp("/proc/$first->{AIGW_NGINX_PID}/cmdline"),
    qr/^nginx: master process/, 'the pid is the master\'s');

my $state = $first->{AIGW_STORE} =~ s/\/store$//r;

for my $file ('aigw-http.conf', 'aigw-server.conf') {
    my %runs = map { $_ => 1 } split /\n/, AIGW::slurp("$state/$file");
    my @other = grep { !$runs{$_} }
        split /\n/, AIGW::slurp("$AIGW::root/docs/$file");

    like(AIGW::slurp("$state/nginx.conf"), qr/^\s*include $file;$/m,
        "$file is what runs");
    is_deeply([grep { !/4sapi|\/var\// } @other], [],
        '... with names and paths of its own');
}

my ($plain, $stream) = $said =~ /^(curl .*)$/mg;

($exit, my $answer) = command('sh', '-c', "$plain -s");
is($exit, 0, 'the curl that it prints works as pasted');
like(eval { JSON::PP::decode_json($answer) }->{choices}[0]{message}{content}
    // '', qr/\w/, '... and is answered') or diag($answer);

($exit, $answer) = command('sh', '-c', "$stream -s");
is($exit, 0, 'that of the stream too');
cmp_ok(scalar(() = $answer =~ /^data: \{/mg), '>', 5, '... with its chunks');
like($answer, qr/^data: \[DONE\]$/m, '... to its end');

# --- the second one ---

($exit, $said) = make('run', 'WORKERS=2');

my $second = run_env();

is($exit, 0, 'make run again') or diag($said);
is_deeply([@$second{qw(AIGW_API_KEY AIGW_STORE AIGW_BASE_URL)}],
    [@$first{qw(AIGW_API_KEY AIGW_STORE AIGW_BASE_URL)}],
    'key and store are kept');
isnt($second->{AIGW_NGINX_PID}, $first->{AIGW_NGINX_PID}, 'nginx is not');
is(scalar(grep { $_->{verdict} eq 'ok' } @{ cli('log', 'list')->{items} }), 2,
    'the rows are kept');

my $project = cli('project', 'show', 'demo');

is_deeply([@$project{qw(quota models active)}],
    ['10', ['*'], JSON::PP::true], 'the project demo')
    or diag(explain($project));

# --- stop ---

my $live = cli('store', 'stats')->{live_path};

is((make('stop'))[0], 0, 'make stop');
is_deeply([map { AIGW::slurp("/proc/$_/cmdline") } left()], [],
    'no process is left');

# --- somebody else has the port ---

my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
    LocalPort => $port, Listen => 1, ReuseAddr => 1);

ok($socket, 'the port is free again');
($exit, $said) = make('run');
isnt($exit, 0, 'make run with a taken port');
like($said, qr/^port $port is taken/m, 'it says so');
is_deeply([left()], [], 'and starts nothing');

# --- clean ---

is((make('clean'))[0], 0, 'make clean');
is_deeply([grep { -e } $build, $live, $first->{AIGW_STORE}], [],
    'nothing is left');

done_testing();
