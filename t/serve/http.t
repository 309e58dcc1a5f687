# What a request may look like: values, bodies, methods, paths and arguments
# that are none get an answer in JSON that says so, never more, and leave the
# sidecar as it was. Threats M08, M20, M22.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;
use AIGW::Serve;

my $t = AIGW->new(start => 0);
my $s = AIGW::Serve->new($t);
my $admin = $s->admin;
my $n = 0;

sub ask ($method, $path, %more) {
    return $s->call($method, "/admin/api$path", token => $admin, %more);
}

# An error in our form: "400 quota".
sub error ($r) {
    my $error = ($r->json // {})->{error};

    return $r->status . ' ' . (ref $error eq 'HASH'
        && length($error->{code} // '') && length($error->{message} // '')
        ? $error->{field} // '-' : 'no error: ' . substr $r->body, 0, 80);
}

sub before_and_after ($name, $do) {
    my $before = $t->json('project', 'list');

    $do->();
    is_deeply($t->json('project', 'list'), $before, "$name: nothing was made");
    is(ask('GET', '/me')->status, 200, "$name: it is there");
}


# --- M08: numbers ---

my @numbers = (-1, '-0', '-0.0', '0.1', '1e309', '-1e309', '1e308', 'NaN',
    'Infinity', '-Infinity', 'nan', 'inf', '9223372036854775808',
    '18446744073709551616', '9007199254740993', '1e2', '0x10', '010', '+1',
    '1.', '.1', '1_0', '"10"', '" 10"', '"1e2"', '""', 'true', 'false', '[]',
    '[1]', '{}', '{"$gt":0}', '"\u0661"', '1' x 400);

# An amount is a decimal string, null is no limit; all else is refused.
my @amounts = (@numbers, '10', '0', '"-1"', '"-0"', '"NaN"', '"Infinity"',
    '"1e309"', '"1e5"', '"0x10"', '"9223372036854775808"', '"1."', '".5"',
    '"+1"', '"1,5"', '"1 "', '"1;DROP"', '"0.0000000001"', '"unlimited"',
    '"' . '9' x 400 . '"');

sub body ($fields) { return (body => "{$fields}") }

# Values of a field that are taken although they should not be.
sub taken ($method, $path, $rest, $field, @values) {
    my @taken;

    for my $value (@values) {
        my $number = ++$n;
        my $r = ask($method, $path =~ s/%n/$number/r, body(
            $rest =~ s/%n/$number/r . qq("$field":$value)));
        my $seen = error($r);

        # what is no JSON is no field's
        push @taken, "$value: $seen"
            if $seen ne "400 $field" && $seen ne '400 -';
    }

    return @taken;
}

before_and_after('M08 numbers', sub {
    is_deeply([taken('POST', '/projects', '"name":"m08-%n",', 'quota',
        grep { $_ ne '"10"' } @amounts)], [], 'M08 quota');
    is_deeply([taken('POST', '/projects', '"name":"m08-%n",', 'expires',
        @numbers, '"-1d"', '"never"', '"1e9d"', '"99999999999d"',
        '"2026-02-30T00:00:00Z"', '"0000-00-00"', '"9999999-01-01"', '"d"')],
        [], 'M08 expires');
    is_deeply([taken('PUT', '/models/m08-%n', '', 'max_output',
        grep { $_ ne '1e2' && $_ ne '9007199254740993' } @numbers)], [],
        'M08 max_output');
    is_deeply([taken('PUT', '/prices/m08-%n', '"completion":"1",', 'prompt',
        grep { $_ ne '"10"' } @amounts, 'null')], [], 'M08 price');
});

is(ask('PUT', '/models/m08', body('"max_output":4096'))->status, 200,
    'M08 a number is a number');
is(ask('POST', '/projects', body('"name":"m08","quota":"10"'))->status, 201,
    'M08 an amount a decimal string');
is(ask('DELETE', '/projects/m08')->status, 200, 'M08 and it goes');
is(ask('DELETE', '/models/m08')->status, 200, 'M08 both do');

{
    my $r = ask('PUT', '/models/m08-big', body('"max_output":1e15'));

    ok($r->status == 400 || $r->json->{max_output} == 1e15,
        'M08 what is taken is kept as it was');
}


# --- M08: fields and types ---

my %bodies = (
    'an unknown field' => ['"name":"f","nam":"g"', 'nam'],
    'a field of another route' => ['"name":"f","prompt":"1"', 'prompt'],
    'a name in capitals' => ['"Name":"f"', 'Name'],
    'no fields' => ['', 'name'],
    '__proto__ as a field' => ['"name":"f","__proto__":{"admin":true}',
        '__proto__'],
    'constructor' => ['"name":"f","constructor":1', 'constructor'],
    'a field twice' => ['"name":"f","name":"g"', 'name'],
    'twice, once escaped' => ['"name":"f","\u006eame":"g"', 'name'],
    'a role' => ['"name":"f","role":"admin"', 'role'],
    'an id' => ['"name":"f","id":1', 'id'],
    'a flag of the command line' => ['"name":"f","yes":true', 'yes'],
    'another store' => ['"name":"f","store":"/tmp"', 'store'],
    'a name of the command line' => ['"name":"f","--quota":"1"', '--quota'],
    'models as text' => ['"name":"f","models":"gpt-4o"', 'models'],
    'models as numbers' => ['"name":"f","models":[1]', 'models'],
    'models in models' => ['"name":"f","models":[["a"]]', 'models'],
    'a comma in a model' => ['"name":"f","models":["a,b"]', 'models'],
    'an empty model' => ['"name":"f","models":[""]', 'models'],
    'a name as a number' => ['"name":7', 'name'],
    'a name as null' => ['"name":null', 'name'],
    'a name as a list' => ['"name":["f"]', 'name'],
    'an empty name' => ['"name":""', 'name'],
    'a long name' => ['"name":"' . 'x' x 10_000 . '"', 'name'],
    'a choice that is none' => ['"name":"f","cap":"none"', 'cap'],
    'a choice in capitals' => ['"name":"f","cap":"STRICT"', 'cap'],
);

before_and_after('M08 fields', sub {
    for my $name (sort keys %bodies) {
        my ($body, $field) = @{ $bodies{$name} };

        is(error(ask('POST', '/projects', body($body))), "400 $field",
            "M08 $name");
    }
});

my %broken = (
    'no JSON' => 'name=f', 'half of it' => '{"name":"f"',
    'a list' => '[{"name":"f"}]', 'a string' => '"f"', 'null' => 'null',
    'a number' => '1', 'bytes behind it' => '{"name":"f"}x',
    'two of it' => '{"name":"f"}{"name":"g"}',
    'a comma more' => '{"name":"f",}',
    'a comment' => '{"name":"f"/**/}', 'single quotes' => q({'name':'f'}),
    'a NUL behind it' => "{\"name\":\"f\"}\0", 'a NUL in it' =>
        "{\"name\":\"f\0g\"}", 'a NUL that is escaped' => '{"name":"f\u0000g"}',
    'bad UTF-8' => "{\"name\":\"f\xff\"}", 'too long UTF-8' =>
        "{\"name\":\"f\xc0\xaf\"}", 'half a pair' => '{"name":"f\ud800"}',
    'UTF-16' => "\xff\xfe{\0}\0", 'a mark of UTF-8' => "\xef\xbb\xbf{}",
    'a line end in a string' => "{\"name\":\"f\ng\"}", 'blanks' => ' ' x 1000,
    'a bad escape' => '{"name":"\x41"}', 'NaN' => '{"name":NaN}',
    'deep lists' => '{"name":' . '[' x 30_000 . ']' x 30_000 . '}',
    'deep objects' => '{"name":' . '{"a":' x 10_000 . '1' . '}' x 10_000 . '}',
    'many brackets' => '[' x 65_000,
    'many members' => '{' . join(',', map { qq("a$_":1) } 1 .. 5000) . '}',
);

before_and_after('M08 bodies', sub {
    for my $name (sort keys %broken) {
        like(error(ask('POST', '/projects', body => $broken{$name})),
            qr/\A400 (?:-|name|a1)\z/, "M08 $name");
    }

    is(ask('POST', '/projects', body => '{"name":"f","models":["'
        . 'a' x 65_600 . '"]}')->status, 413, 'M08 64 KiB and more');
    is(error(ask('POST', '/projects', body => ' ' x 65_537)), '413 -',
        'M08 one byte more');
    is(error(ask('POST', '/projects', body => '{"name":"f","nam":"'
        . 'a' x (65_536 - 21) . '"}')), '400 nam', 'M08 64 KiB are read');
});

sub direct ($method, $path, %more) {
    return $s->direct($method, "/admin/api$path", token => $admin, %more);
}

is(error(direct('POST', '/projects', body => ' ' x 65_537)), '413 -',
    'M08 too much for the sidecar itself');

{
    my $chunked = "POST /admin/api/projects HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: Bearer $admin\r\nContent-Type: application/json\r\n"
        . "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    my $http = AIGW::HTTP->new($t->port);
    my $r = $http->ask(raw => $chunked . qq(9\r\n{"name":"\r\n)
        . qq(9\r\nchunked"}\r\n0\r\n\r\n))->response;

    is($r->status, 201, 'M08 in chunks');
    is($r->json->{name} // ($r->json->{project} // {})->{name}, 'chunked',
        'M08 put together');
    $t->run('project', 'delete', 'chunked', '--yes');

    $http = AIGW::HTTP->new($t->port);
    $r = $http->ask(raw => $chunked . join('', map { "4000\r\n" . ' ' x 0x4000
        . "\r\n" } 1 .. 5) . "0\r\n\r\n")->response;
    is(error($r), '413 -', 'M08 80 KiB of chunks');
}

is(error(ask('DELETE', '/projects/x', body => '{}')), '400 -',
    'M08 a body where none is');


# --- methods ---

# Without a token: what nginx refuses, it logs in a form of its own.
sub plain ($method, $path) { return $s->call($method, "/admin/api$path") }

for my $method (qw(OPTIONS TRACE PUT PATCH DELETE PROPFIND FOO get)) {
    my $r = plain($method, '/me');

    like($r->status, qr/\A40[05]\z/, "$method: refused");
    is($r->header('Allow'), 'GET', "$method: what there is")
        if $method =~ /OPTIONS|PUT|PATCH|DELETE|PROPFIND/;
}

{
    my $get = ask('GET', '/me');
    my $head = ask('HEAD', '/me');

    is($head->status, 200, 'HEAD is GET');
    is($head->body, '', 'without its body');
    is($head->header('Content-Length') // length $get->body,
        length $get->body, 'but its length');
    is(ask('HEAD', '/users/nobody')->status, 404, 'HEAD of what is not there');
}


# --- paths and arguments ---

like(plain('GET', '/users/' . 'x' x 10_000)->status, qr/\A4(?:00|04|14)\z/,
    'a path of 10,000 bytes');
like(direct('GET', '/users/' . 'x' x 30_000)->status, qr/\A4(?:00|04|14|31)\z/,
    'of 30,000, at the sidecar itself');

# nginx refuses these by itself
for my $path ('/users/%zz', '/users/%', '/users/a%00', '/users/%2') {
    is(plain('GET', $path)->status, 400, "escapes that are none: $path");
    is(error(direct('GET', $path)), '404 -', 'and at the sidecar itself');
}

is(ask('GET', '/users/%ff')->status, 404, 'bad UTF-8');
is(ask('GET', '/users/..%2f..%2fetc%2fpasswd')->status, 404, 'a way out');

my %query = (
    'limit=0' => 'limit', 'limit=-1' => 'limit', 'limit=1000000000' => 'limit',
    'limit=9223372036854775808' => 'limit', 'limit=1e2' => 'limit',
    'limit=' => 'limit', 'limit=a' => 'limit', 'limit=1.5' => 'limit',
    'limit=+1' => 'limit', 'limit=1%00' => 'limit', 'limit=1001' => 'limit',
    'limit=1&limit=2' => 'limit', 'cursor=abc' => 'cursor',
    'cursor=-1' => 'cursor', 'cursor=%25' => 'cursor',
    'cursor=9223372036854775808999' => 'cursor', 'cursor=1;2' => 'cursor',
    'cursor=' => 'cursor', 'cursor=' . 'x' x 4000 => 'cursor',
    'nothing=1' => 'nothing', 'limit[]=1' => 'limit[]',
    '%6cimit=1' => '%6cimit',
    'page=9223372036854775808' => 'page', 'size=1000000000' => 'size',
    'yes=true' => 'yes', 'store=/tmp' => 'store', 'limit' => 'limit',
    '__proto__=1' => '__proto__',
);

for my $query (sort keys %query) {
    is(error(ask('GET', "/users?$query")), "400 $query{$query}",
        'M20 ' . substr $query, 0, 40);
}

is(ask('GET', '/users?limit=1000')->status, 200, 'M20 a thousand are a page');

for my $which ('%25', '_', '*', '.*', '(a+)+$', 'adm', 'ADMIN', 'admin%20') {
    is(ask('GET', "/users/$which")->status, 404, "M20 '$which' is a name");
}

is(scalar @{ ask('GET', '/logs?model=%25')->json->{items} }, 0,
    'M20 no pattern in a search');


# --- M22: text is text ---

my @names = ('<script>alert(1)</script>', '"><img src=x onerror=alert(1)>',
    "'\"\\", '__proto__', 'constructor', 'javascript:alert(1)', '=1+1',
    "\x{202e}evil", '${7*7}', '{{7*7}}', '</title>');

for my $name (@names) {
    my $r = ask('POST', '/users', json => { name => $name });

    if ($r->status == 400) {
        is(error($r), '400 name', 'M22 no name: '
            . $name =~ s/[^\x20-\x7e]/?/gr);
        next;
    }

    my $show = ask('GET', '/users');
    my ($found) = grep { $_->{name} eq $name } @{ $show->json->{items} };

    is($r->status, 201, "M22 $name is a name");
    ok($found, 'M22 and comes back as it was');
    like($show->header('Content-Type'), qr{\Aapplication/json(?:;|\z)},
        'M22 as JSON');
    is($show->header('X-Content-Type-Options'), 'nosniff',
        'M22 which no browser takes for a page');
}

for my $path ('/users/<script>alert(1)</script>',
    '/users?<script>alert(1)</script>=1', '/logs/<b>')
{
    my $r = ask('GET', $path);

    like($r->status, qr/\A40[04]\z/, "M22 $path");
    like($r->header('Content-Type'), qr{\Aapplication/json(?:;|\z)},
        'M22 an error is JSON');
    is($r->header('X-Content-Type-Options'), 'nosniff', 'M22 and no page');
    is($r->header('Cache-Control'), 'no-store', 'M22 nor kept');
}


# --- slow ones ---

sub unix () {
    return IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $s->{socket})
        // die "connect: $!\n";
}

sub me_within ($seconds, $name) {
    my $from = time;
    my $r = ask('GET', '/me');

    is($r->status, 200, $name);
    cmp_ok(time - $from, '<', $seconds, "... within $seconds s");
}

# through nginx, which waits for them in the sidecar's place
{
    my @slow = map {
        my $http = AIGW::HTTP->new($t->port);

        $http->send("POST /admin/api/login HTTP/1.1\r\nHost: x\r\n"
            . "Content-Type: application/json\r\n"
            . "Content-Length: 1000\r\n\r\n{");
        $http;
    } 1 .. 200;

    me_within(2, '200 clients that send half a body');
    $_->close for @slow;
}

# who has the right to connect, but is slow
{
    my @slow = map {
        my $sock = unix();

        syswrite $sock, "POST /admin/api/login HTTP/1.1\r\nHost: x\r\n"
            . ($_ % 2 ? "Content-Length: 1000\r\n\r\n{" : '');
        $sock;
    } 1 .. 40;

    me_within(2, '40 of them at the sidecar itself');

    my ($threads) = AIGW::slurp('/proc/' . $s->pid . '/status')
        =~ /^Threads:\s+(\d+)/m;

    cmp_ok($threads, '<=', 80, 'threads are bounded');
    close $_ for @slow;
    me_within(2, 'and gone');
}

# garbage
for my $bytes ("\0" x 1000, "GET\r\n\r\n", 'x' x 70_000,
    "GET / HTTP/9.9\r\n\r\n",
    "POST /admin/api/login HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "POST /admin/api/login HTTP/1.1\r\nContent-Length: 99999999999999999999"
    . "\r\n\r\n", "GET /admin/api/me HTTP/1.1\r\n" . "X: y\r\n" x 5000 . "\r\n",
    "POST /admin/api/login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    . "ffffffffffffffff\r\n")
{
    my $sock = unix();

    local $SIG{PIPE} = 'IGNORE';
    syswrite $sock, $bytes;
    shutdown $sock, 1;

    my $answer = '';

    1 while sysread $sock, $answer, 65536, length $answer;
    unlike($answer, qr{\AHTTP/1\.\d (?:2|50[0-4])}, 'garbage: '
        . (substr $bytes, 0, 30) =~ s/[^\x20-\x7e]/./gr);
}

me_within(2, 'after all that');
is($s->{process}->alive, 1, 'the sidecar lives');

$t->finish;
