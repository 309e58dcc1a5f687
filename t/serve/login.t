# Logging in: what guessing costs the guesser and nobody else, what a name that
# is not there tells (nothing), and what a browser's cookie may do. Threats M01,
# M15, M16, M21, K15.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;
use AIGW::Serve;

my $t = AIGW->new(start => 0);
my $s = AIGW::Serve->new($t);
my $address = 0;

# From an address that nobody has failed from.
sub fresh () { return '127.0.1.' . ++$address }

sub login ($name, $password, %more) {
    return $s->call('POST', '/admin/api/login', from => fresh(), json => {
        name => $name, password => $password }, %more);
}

# Status, code and message.
sub said ($r) {
    my $error = ($r->json // {})->{error} // {};

    return join ' ', $r->status, map { $_ // '-' } @$error{qw(code message)};
}


# --- M01: nothing is given ---

for my $password ('admin', 'password', '12345678') {
    is(login('admin', $password)->status, 401,
        "M01 admin has no password '$password'");
}

is(login('admin', '')->status, 400, 'M01 nor an empty one');
is($s->call('POST', '/admin/api/login/link', json => {
    token => 'x' x 40 })->status, 401, 'M01 a link that was never made');


# --- one-time links ---

my $admin = $s->admin;

$t->run('user', 'create', 'ana');
$t->run('user', 'create', 'bob');

sub link_of ($name) { return $t->json('user', 'link', $name)->{token} }

sub by_link ($link, %more) {
    return $s->call('POST', '/admin/api/login/link', json => {
        token => $link, %more });
}

{
    my $link = link_of('ana');

    is($s->call('GET', '/admin/api/login/link?token=x')->status, 405,
        'M01 a link is not used by what looks at it');
    is(by_link($link, password => 'short')->status, 400,
        'M01 with a password that is too short');
    is(by_link($link)->status, 200, 'M01 it is still good after that');
    is(said(by_link($link)), said(by_link('x' x length $link)),
        'M01 then it is as one that never was');

    my $late = link_of('ana');

    $t->run('user', 'disable', 'ana');
    is(by_link($late)->status, 401, 'M01 a link of who is disabled');
    $t->run('user', 'enable', 'ana');
}

# ten at once: one gets in
{
    my $link = link_of('bob');
    my @http = map { AIGW::HTTP->new($t->port) } 1 .. 10;

    $_->ask(path => '/admin/api/login/link', json => { token => $link },
        headers => [Connection => 'close']) for @http;

    my @status = sort map { $_->response->status } @http;

    is("@status", join(' ', 200, (401) x 9),
        'M01 a link used ten times at once');
}

{
    my $link = link_of('bob');
    my $r = by_link($link, password => 'by link, by bob');

    is($r->status, 200, 'M01 a password by a link');
    is($s->call('GET', '/admin/api/me', token => $r->json->{token})->status,
        200, 'M01 the session it begins holds');
    is(login('bob', 'by link, by bob')->status, 200, 'M01 and the password');
}


# --- K15: passwords ---

{
    my $long = 'x' x 71 . 'yz' . 'w' x 27;
    my $stdin = { stdin => "$long\n" };

    $t->secret('a long password', $long);
    $t->run($stdin, 'user', 'password', 'ana');
    is(login('ana', $long)->status, 200, 'K15 a password of 100 bytes');
    is(login('ana', substr $long, 0, 72)->status, 401,
        'K15 its first 72 are another');
    is(login('ana', "$long\0x")->status, 400, 'K15 a NUL in it');
    is(login('ana', 'x' x 1025)->status, 400, 'K15 1,025 bytes: refused');
    is(login('ana', 'x' x 1_000_000)->status, 413,
        'K15 a million: not read');
}


# --- M15, M16: a wrong password, and a name that is not there ---

# Jiffies that the sidecar has computed.
sub ticks () {
    my @field = split ' ', AIGW::slurp('/proc/' . $s->pid . '/stat')
        =~ s/\A.*\) //sr;

    return $field[11] + $field[12];
}

{
    my %answer;
    my %ticks;

    $t->run('user', 'create', 'without');
    $t->run('user', 'create', 'off');
    $s->password('off');
    $t->run('user', 'disable', 'off');

    for my $name (qw(ana nobody without off)) {
        my $before = ticks();
        my $r = login($name, 'a wrong password');

        $ticks{$name} = ticks() - $before;
        $answer{$name} = said($r) . ' ' . join ' ', map { "@$_" }
            grep { $_->[0] !~ /^date$/i } @{ $r->{header_list} };
    }

    like($answer{ana}, qr/\A401 wrong_password /, 'M16 a wrong password');
    is($answer{$_}, $answer{ana}, "M16 $_: the same answer")
        for qw(nobody without off);

    for my $name (qw(nobody without off)) {
        note("$name: $ticks{$name}, ana: $ticks{ana} ticks");
        ok($ticks{$name} > $ticks{ana} * 0.6
            && $ticks{$name} < $ticks{ana} * 1.6 && $ticks{ana} >= 10,
            "M16 $name: it is computed as much");
    }
}

# Guesses until one is not looked at: that answer, how many there were before
# it, and how many there may be: five, and one for each 10 s that they took.
sub guess ($do) {
    my $from = time;
    my $tries = 0;
    my $r;

    do {
        $r = $do->(++$tries);
    } while ($r->status == 401 && $tries < 30);

    return ($r, $tries - 1, 5 + int((time - $from) / 10) + 1);
}

{
    my $from = fresh();
    my $right = $s->password('ana');
    my ($r, $tries, $most) = guess(sub ($i) {
        login('ana', "a guess, $i", from => $from, headers => [
            'X-Real-IP' => "10.0.0.$i", 'X-Forwarded-For' => "10.0.1.$i"]);
    });

    is($r->status, 429, "M15 no more than $tries guesses");
    cmp_ok($tries, '<=', $most, 'M15 which are few');
    like($r->header('Retry-After') // '', qr/\A(?:[1-9]|10)\z/,
        'M15 it says how long');
    is(login('ana', $right, from => $from)->status, 429,
        'M15 nor the right one from there');
    is(login('ana', $right)->status, 200, 'M15 from elsewhere it is let in');
    is(login('bob', 'by link, by bob', from => $from)->status, 200,
        'M15 others from there, too');
}

# by one's own token, too
{
    my $from = fresh();
    my $token = $s->call('POST', '/admin/api/login', from => fresh(), json => {
        name => 'bob', password => 'by link, by bob' })->json->{token};
    my ($r, $tries, $most) = guess(sub ($i) {
        $s->call('POST', '/admin/api/me/password', from => $from,
            token => $token, json => { old_password => "a guess, $i",
                password => 'another one' });
    });

    is($r->status, 429, 'M15 the old password is guessed no faster');
    cmp_ok($tries, '<=', $most, "M15 but $tries times");
    is($s->call('POST', '/admin/api/me/password', from => fresh(),
        token => $token, json => { password => 'another one' })->status, 401,
        'M15 nor left out');
}


# --- M21: cookies, and pages of others ---

sub by_cookie (%headers) {
    return $s->call('POST', '/admin/api/login', from => fresh(), json => {
        name => 'admin', password => $s->{passwords}{admin},
        cookie => JSON::PP::true }, headers => [%headers]);
}

my $in = by_cookie();
my $set = $in->header('Set-Cookie') // '';
my ($session) = $set =~ /\A(aigw_session=[^;]+)/;
my $csrf = ($in->json // {})->{csrf_token};

$t->secret('the cookie', $session =~ s/.*=//r);
is($in->status, 200, 'M21 logged in with a cookie');
like($set, qr/;\s*HttpOnly(?:;|\z)/i, 'M21 HttpOnly');
like($set, qr/;\s*SameSite=Strict(?:;|\z)/i, 'M21 SameSite=Strict');
like($set, qr{;\s*Path=/(?:admin/?)?(?:;|\z)}i, 'M21 Path');
unlike($set, qr/;\s*Secure|;\s*Domain/i, 'M21 over http not Secure');
ok(!defined $in->json->{token}, 'M21 no token where scripts read');
like($csrf, qr/\A[0-9a-f]{32}\z/, 'M21 but one against other pages');

{
    my $r = $s->direct('POST', '/admin/api/login', json => {
        name => 'admin', password => $s->{passwords}{admin},
        cookie => JSON::PP::true }, headers => ['X-Forwarded-Proto', 'https']);

    like($r->header('Set-Cookie') // '', qr/;\s*Secure(?:;|\z)/i,
        'M21 over https it is Secure');
}

# A change by this cookie and these headers.
sub change (@headers) {
    return $s->call('POST', '/admin/api/users/bob/enable', json => {},
        headers => [Cookie => $session, @headers]);
}

my @token = ('X-CSRF-Token' => $csrf);
my $other = by_cookie()->json->{csrf_token};

is(change(@token)->status, 200, 'M21 cookie and token change something');
is(change(@token, 'Sec-Fetch-Site' => 'same-origin')->status, 200,
    'M21 from a page of ours');
is(change(@token, Origin => 'http://localhost')->status, 200,
    'M21 which says so');

my %foreign = (
    'the cookie alone' => [],
    'an empty token' => ['X-CSRF-Token' => ''],
    'a wrong token' => ['X-CSRF-Token' => 'x' x 32],
    'the start of it' => ['X-CSRF-Token' => substr $csrf, 0, 31],
    'more than it' => ['X-CSRF-Token' => "${csrf}0"],
    'in capitals' => ['X-CSRF-Token' => uc "a$csrf"],
    'that of another session' => ['X-CSRF-Token' => $other],
    map({ ("Sec-Fetch-Site: $_" => [@token, 'Sec-Fetch-Site' => $_]) }
        qw(cross-site same-site none), 'same-origin, cross-site'),
    map({ ("Origin: $_" => [@token, Origin => $_]) } 'null',
        'https://evil.example', 'http://localhost.evil.example',
        'http://evil.example/localhost', ''),
);

for my $name (sort keys %foreign) {
    my $r = change(@{ $foreign{$name} });

    is(said($r) =~ s/ a .*//r, '403 csrf', "M21 $name");
}

is($s->call('GET', '/admin/api/me', headers => [Cookie => $session])->status,
    200, 'M21 reading takes the cookie alone');
is($s->call('GET', '/admin/api/me', headers => [Cookie => $session])
    ->json->{csrf_token}, $csrf, 'M21 and says the token');
is($s->call('POST', '/admin/api/users/bob/enable', token => $admin,
    headers => ['Sec-Fetch-Site' => 'cross-site'], json => {})->status, 200,
    'M21 a bearer is no cookie');

for my $type ('text/plain', 'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x', 'application/jsonx', 'text/json', '')
{
    my $r = $s->call('POST', '/admin/api/login', body =>
        '{"name":"ana","password":"x"}', headers => ['Content-Type' => $type]);

    is($r->status, 415, "M21 no body of type '$type'");
}

for my $path ('/admin/api/me', '/admin/api/users', '/admin/api/login',
    '/admin/api/nothing')
{
    for my $method (qw(GET OPTIONS)) {
        my $r = $s->call($method, $path, headers => [
            Origin => 'null', 'Access-Control-Request-Method' => 'POST',
            Cookie => $session]);
        my @cors = grep { /^access-control/ } keys %{ $r->{headers} };

        is("@cors", '', "M21 $method $path lets no page of others read");
        like($r->header('Content-Security-Policy') // '',
            qr/default-src 'none'.*frame-ancestors 'none'/,
            'M21 nor show it in a frame');
    }
}

# ended, and gone from the browser
{
    my $r = $s->call('POST', '/admin/api/logout', json => {},
        headers => [Cookie => $session, @token]);

    is($r->status, 204, 'M21 logged out');
    like($r->header('Set-Cookie') // '', qr/\Aaigw_session=;.*Max-Age=0/,
        'M21 the cookie goes');
    is($s->call('GET', '/admin/api/me', headers => [Cookie => $session])
        ->status, 401, 'M21 and is no more');
}

$t->finish;
