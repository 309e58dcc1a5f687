# What must not be seen: secrets of every kind go through all of the sidecar, by
# right and by wrong ways, and are found nowhere but where they are given once.
# And the sidecar itself: what it may be asked through, and who may look into
# it. Threats K01, K02, K05, K06, K07, K08, K17, K18, M02, M03.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Fcntl qw(S_IMODE);
use IO::Socket::UNIX;
use MIME::Base64 qw(encode_base64);
use Socket qw(SOCK_STREAM);
use Test::More;

use AIGW;
use AIGW::Serve;

umask 000;

my $t = AIGW->new(start => 0);
my $s = AIGW::Serve->new($t);
my $store = "$t->{dir}/store";
my $pid = $s->pid;
my $given = '';                     # all answers, but for what is given in them

# An answer; once: members that may be a secret, there and then.
sub ask ($method, $path, %more) {
    my $once = delete $more{once} // [];
    my $r = $s->call($method, "/admin/api$path", %more);
    my $text = $r->body . join "\n", map { "@$_" } @{ $r->{header_list} };
    my $json = $r->json // {};

    for my $name (@$once) {
        my $secret = $json->{$name} // ($json->{project} // {})->{$name};

        ok(length($secret // ''), "$method $path gives its $name")
            or diag($r->status, ' ', $r->body);
        next if !length($secret // '');
        $t->secret("$name of $method $path", $secret);
        is(($text =~ s/\Q$secret//), 1, '... once');
    }

    $given .= "$method $path: $text\n";

    return $r;
}


# --- secrets, planted by going the usual ways ---

my $admin_password = $s->password('admin');
my $admin = ask('POST', '/login', once => ['token'], json => { name => 'admin',
    password => $admin_password })->json->{token};
my @as = (token => $admin);

$t->run('user', 'create', 'ana');

my $link = $t->json('user', 'link', 'ana')->{token};

my $password = 'pw ' . AIGW::random_text(20);

$t->secret('a password', $password);

my $ana = ask('POST', '/login/link', once => ['token'], json => {
    token => $link, password => $password })->json->{token};
my @ana = (token => $ana);

ask('POST', '/projects', @ana, once => ['key'], json => { name => 'p' });

my $key = ask('POST', '/keys', @ana, once => ['key'], json => {
    project => 'p', name => 'k' })->json->{key};

ask('POST', '/keys/k/rotate', @ana, once => ['key'], json => {
    project => 'p', grace => '1h' });

my $upstream_key = 'sk-' . AIGW::random_text(40);
my $log_token = AIGW::random_text(32);

$t->secret('an upstream\'s key by the API', $upstream_key);
$t->secret('its token for the log', $log_token);
is(ask('PUT', '/upstreams/planted', @as, json => {
    url => 'https://up.example.com', key => $upstream_key,
    log_token => $log_token, log_user => '7' })->status, 200,
    'K06 an upstream\'s key is taken');

my $cookie = ask('POST', '/login', json => { name => 'ana',
    password => $password, cookie => JSON::PP::true });

# the cookie's own is given in its header
for ($cookie->header('Set-Cookie') =~ /aigw_session=([^;]+)/) {
    $t->secret('a cookie', $_);
    $given =~ s/\Q$_//;
}

is($t->chat($key)->status, 200, 'a call by a key of the API');


# --- and wrong ways ---

my @secrets = ($key, $upstream_key, $password, $admin_password, $ana, $link,
    $t->{secrets}{'the master key in hex'});

# An error may say again what it was sent, to who has sent it.
sub wrong ($method, $path, @more) {
    $s->call($method, "/admin/api$path", @more);
}

for my $secret (@secrets) {
    my $escaped = $secret =~ s/([^\w-])/sprintf '%%%02x', ord $1/ger;

    wrong('POST', '/login', json => { name => $secret, password => $secret });
    wrong('POST', '/login', json => { name => 'ana', x => $secret });
    wrong('POST', '/login', json => { $secret => 'x' });
    wrong('POST', '/login', body => $secret);
    wrong('POST', '/login/link', json => { token => $secret });
    wrong('GET', '/me', headers => [Authorization => "Bearer $secret"]);
    wrong('GET', '/me', headers => [Authorization => 'Basic '
        . encode_base64("x:$secret", '')]);
    wrong('GET', '/me', headers => [Cookie => "aigw_session=$secret"]);
    wrong('POST', '/users', @as, json => { name => "bad name $secret/" });
    wrong('POST', '/users', @as, json => { name => 'x', $secret => 1 });
    wrong('PUT', '/settings/base_url', @as, json => {
        value => "https://x:$secret\@h/" });
    wrong('PUT', '/upstreams/wrong', @as, json => {
        url => "https://u:$secret\@h", key => 'k' });
    wrong('PUT', '/upstreams/wrong', @as, json => { url => 'nothing',
        key => $secret });
    wrong('POST', '/me/password', token => $admin, json => {
        old_password => $secret, password => 'short' });

    # where nginx's own log would have it: the sidecar's own
    $s->direct('GET', "/admin/api$_", @as) for "/users/$escaped",
        "/logs?project=$escaped", "/users?$escaped=1";
    $s->direct('GET', '/admin/api/me', headers => [
        map { (Authorization => "Bearer $secret") } 1 .. 2]);
}


# --- K05: what is shown of them afterwards ---

for my $path ('/keys', '/keys/k?project=p', '/projects/p', '/projects',
    '/upstreams', '/users', '/users/ana', '/me', '/settings', '/logs',
    '/usage?by=key', '/calls', '/store', '/models', '/prices',
    "/explain?key=k&model=gpt-4o-mini&project=p")
{
    my $r = ask('GET', $path, @as);

    is($r->status, 200, "K05 GET $path") or diag($r->body);
    unlike($r->body, qr/"(?:hash|salt|secret|scrypt|password|token)\w*":/,
        'K05 nothing of how it is kept');
    unlike($r->body, qr/\b[0-9a-f]{64}\b/, 'K05 no hash')
        if $path ne '/audit';
}

{
    my $shown = ask('GET', '/keys/k?project=p', @as)->json;

    is($shown->{last4}, substr($t->{secrets}{'key of POST /keys/k/rotate'}, -4),
        'K05 the last four of a key');
    is(index($t->{secrets}{'key of POST /keys/k/rotate'}, $shown->{prefix}), 0,
        'K05 and how it begins');
    cmp_ok(length $shown->{prefix}, '<', 20, 'K05 no more of it');
}

is_deeply([AIGW::Check::find($t, $given)], [],
    'K01 K05 no answer has a secret, but where it is given');


# --- K01: nowhere else ---

my $log = AIGW::slurp("$t->{dir}/serve.log");

is_deeply([AIGW::Check::find($t, $log)], [], 'K01 serve.log');
is($log =~ tr/\n//, 1, 'K01 which has no reason to be long') or diag($log);

for my $file (qw(cmdline environ)) {
    is_deeply([AIGW::Check::find($t, AIGW::slurp("/proc/$pid/$file"))], [],
        "K01 K18 $file of the sidecar");
}

# as they lie on the disk: not the text, not what it is made of
for my $name (qw(control usage)) {
    my $bytes = AIGW::slurp("$store/$name/data.mdb");

    cmp_ok(length $bytes, '>', 4096, "K06 $name is there");
    is_deeply([AIGW::Check::find($t, $bytes)], [], "K06 $name has no secret");
}

is_deeply([AIGW::Check::find($t, $t->json_text('audit', 'list', '--limit',
    1000))], [], 'K01 the audit log has none');


# --- K07, K08: nobody looks into it ---

{
    my $limits = AIGW::slurp("/proc/$pid/limits");

    like($limits, qr/^Max core file size\s+0\s+0\s/m, 'K07 no core');

    # of one that cannot be dumped, its files are root's
    my $owner = (stat "/proc/$pid/environ")[4];

    is($owner, 0, 'K08 not dumpable') if $> != 0;

    SKIP: {
        skip 'only root becomes somebody else', 3 if $> != 0;

        my @nobody = getpwnam 'nobody';
        my $dir = "$t->{dir}/as-nobody";

        # the same user as the sidecar's, who is not root
        mkdir $dir or die;
        chown $nobody[2], $nobody[3], $dir;

        # who can run it wherever the build lies
        system('cp', "$AIGW::build/aigw", "$dir/aigw") == 0 or die;
        chmod 0755, "$dir/aigw";

        my $as = sub ($code) {
            my $child = fork // die;

            if (!$child) {
                ($(, $)) = ($nobody[3], "$nobody[3] $nobody[3]");
                ($<, $>) = ($nobody[2]) x 2;
                $code->();
                POSIX::_exit(99);
            }

            return $child;
        };
        my $run = sub (@argv) {
            my $child = $as->(sub { exec { $argv[0] } @argv });

            waitpid $child, 0;

            return $? >> 8;
        };

        is($run->("$dir/aigw", '-q', 'store', 'init', "$dir/store"), 0,
            'K08 a store of nobody\'s');

        my $child = $as->(sub {
            open STDERR, '>', "$dir/log";
            exec { "$dir/aigw" } 'aigw', '--store', "$dir/store",
                'serve', '--socket', "$dir/s.sock";
        });
        my $tries = 500;

        select undef, undef, undef, 0.02
            while AIGW::slurp("$dir/log") !~ /ready/ && $tries--;

        is((stat "/proc/$child/environ")[4], 0, 'K08 not dumpable');

        my $file = "$dir/seen";

        $run->('/bin/sh', '-c', "for f in mem environ maps auxv; do head -c1"
            . " /proc/$child/\$f >/dev/null 2>&1 && echo \$f; done >$file");
        is(AIGW::slurp($file), '', 'K08 its own user cannot read its memory');
        kill 'ABRT', $child;
        waitpid $child, 0;
        is($? & 128, 0, 'K07 aborted, it leaves no core');
    }
}


# --- K17, M03: files, and how it is reached ---

{
    my @st = stat $s->{socket};
    my @control = stat "$store/control";

    is(sprintf('%04o', S_IMODE($st[2])), '0660', 'K17 M03 the socket\'s mode');
    is($st[5], $control[5], 'K17 M03 its group is that of nginx\'s workers');
    is(sprintf('%04o', S_IMODE((stat "$store/key")[2])), '0600',
        'K17 the key file\'s');
    is(sprintf('%04o', S_IMODE((stat $store)[2]) & 07007), '0000',
        'K17 the store is nobody else\'s');

    # made by the sidecar, under umask 000
    my @open = grep { -f $_ && S_IMODE((stat _)[2]) & 07 }
        glob "$store/* $store/*/*";

    is_deeply(\@open, [], 'K17 nor is a file in it, whatever the umask');
}

{
    my %socket = map { /^socket:\[(\d+)\]/ ? ($1 => 1) : () }
        map { readlink // '' } glob "/proc/$pid/fd/*";
    my @tcp;

    for my $name (qw(tcp tcp6 udp udp6 raw)) {
        for (split /\n/, AIGW::slurp("/proc/$pid/net/$name")) {
            my $inode = (split)[9] // '';

            push @tcp, "$name $_" if $socket{$inode};
        }
    }

    cmp_ok(scalar keys %socket, '>', 0, 'M03 it listens');
    is_deeply(\@tcp, [], 'M03 on no network');
}

SKIP: {
    skip 'only root becomes somebody else', 1 if $> != 0;

    my $child = fork // die;

    if (!$child) {
        my @nobody = getpwnam 'nobody';

        ($(, $)) = ($nobody[3], "$nobody[3] $nobody[3]");
        ($<, $>) = ($nobody[2]) x 2;
        POSIX::_exit(IO::Socket::UNIX->new(Type => SOCK_STREAM,
            Peer => $s->{socket}) ? 1 : 0);
    }

    waitpid $child, 0;
    is($?, 0, 'M03 nobody else connects');
}


# --- M02: a master key that is none ---

{
    my $right = AIGW::slurp("$store/key");
    my $hex = $right =~ s/\n//r;
    my %wrong = (
        'empty' => '', 'a line end' => "\n", 'short' => substr($hex, 0, 62),
        'one byte repeated' => 'ab' x 32 . "\n", 'zeros' => '0' x 64,
        'no hex' => 'x' x 64, 'long' => "${hex}00\n",
    );
    my $start = sub {
        my $p = AIGW::Process->start(["$AIGW::build/aigw", '--store', $store,
            'serve', '--socket', "$t->{dir}/second.sock"],
            stderr => "$t->{dir}/second.log");
        my $status = $p->wait(5);

        $p->stop('KILL') if !defined $status;

        return defined $status && $status >> 8
            ? AIGW::slurp("$t->{dir}/second.log") : 'it started';
    };

    for my $name (sort keys %wrong) {
        open my $fh, '>', "$store/key" or die;
        print $fh $wrong{$name};
        close $fh;
        like($start->(), qr/key file '\Q$store\E\/key'/,
            "M02 a key that is $name: refused, and which");
    }

    open my $fh, '>', "$store/key" or die;
    print $fh $right;
    close $fh;

    for my $mode (0640, 0604, 0666) {
        chmod $mode, "$store/key";
        like($start->(), qr/mode is 0600/,
            sprintf 'M02 K17 a key of mode %04o', $mode);
    }

    chmod 0600, "$store/key";
    ok(!-e "$t->{dir}/second.sock", 'M02 and nobody listens');
}

$t->finish;
