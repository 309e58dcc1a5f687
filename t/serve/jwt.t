# Tokens that are none: each way to make one that was ever found elsewhere, with
# the real secret where it takes that. And good ones, which end at once with
# what they stand for. Threats M11 to M14.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);
use Test::More;

use AIGW;
use AIGW::Jwt;
use AIGW::Serve;

my $t = AIGW->new(start => 0);
my $s = AIGW::Serve->new($t);
my $j = AIGW::Jwt->new("$t->{dir}/store");
my $good = $s->user('ana');
my $claims = $j->claims($good);
my ($head, $body, $mac) = split /\./, $good;


sub me (@headers) {
    return $s->call('GET', '/admin/api/me', headers => \@headers)->status;
}


# What it is as a bearer and as a cookie.
sub both ($token) {
    return join ' ', me(Authorization => "Bearer $token"),
        me(Cookie => "aigw_session=$token");
}


# Of name and token, those that are taken for good.
sub refused ($threat, %token) {
    my @taken = grep {
        my $seen = both($token{$_});

        note("$_: $seen") if $seen ne '401 401';
        $seen ne '401 401';
    } sort keys %token;

    cmp_ok(scalar keys %token, '>', 0, "$threat: there are some");
    is_deeply(\@taken, [], "$threat: none of " . keys(%token));
}


# --- what is right, so that the rest means something ---

is(both($good), '200 200', 'M11 a token as it was given');
is($j->mac("$head.$body"), $mac, 'M11 the secret is known here');
is(both($j->token($claims)), '200 200', 'M11 one that was made here');
is(me(Authorization => "bearer $good"), 200, 'M11 the scheme in small letters');
is(me(), 401, 'M11 without one');


# --- M11: headers and signatures ---

my %claims = %$claims;

sub headed ($fields, %more) {
    my $text = ref $fields ? JSON::PP->new->canonical->encode({
        alg => 'HS256', typ => 'JWT', %$fields }) : $fields;

    return $j->token($claims, head => $text, %more);
}

sub unsigned ($alg) {
    return encode_base64url(qq({"alg":"$alg","typ":"JWT"})) . ".$body.";
}

refused('M11 algorithms',
    map({ ("alg $_, no signature" => unsigned($_),
        "alg $_, the old one" => unsigned($_) . $mac,
        "alg $_, signed" => headed({ alg => $_ })) }
        qw(none None NONE nOnE RS256 ES256 PS256 EdDSA HS1 hs256), ''),
    'RS256, by the secret as its key' => headed({ alg => 'RS256' }),
    'HS384' => headed({ alg => 'HS384' }, bits => 384),
    'HS512' => headed({ alg => 'HS512' }, bits => 512),
    'no alg' => $j->token($claims, head => '{"typ":"JWT"}'),
    'alg twice' => headed('{"alg":"none","alg":"HS256","typ":"JWT"}'),
    'alg is a list' => headed('{"alg":["HS256"],"typ":"JWT"}'),
    'alg is null' => headed('{"alg":null,"typ":"JWT"}'),
    'another type' => headed({ typ => 'JOSE' }),
    'no JSON' => headed('HS256'),
    'nothing' => headed(''));

refused('M11 keys that the header names',
    map({ my $kid = $_;
        ("kid $_" => headed({ kid => $kid }),
         "kid $_, empty key" => headed({ kid => $kid }, secret => '')) }
        '1', '../../../../dev/null', '/dev/null', "' UNION SELECT 'a",
        "\0", 'x' x 500),
    map({ ("$_ elsewhere" => headed({ $_ => 'http://127.0.0.1:1/keys' })) }
        qw(jku x5u)),
    'jwk' => headed({ jwk => { kty => 'oct', k => 'AAAA' } }, secret => "\0"x3),
    'x5c' => headed({ x5c => ['AAAA'] }),
    'crit' => headed({ crit => ['exp'] }),
    'b64 false' => headed({ b64 => JSON::PP::false }),
    'zip' => headed({ zip => 'DEF' }));

refused('M11 signatures',
    'none' => "$head.$body", 'an empty one' => "$head.$body.",
    'a dot more' => "$good.", 'two dots more' => "$good..",
    'a part more' => "$good.$mac", 'a dot before' => ".$good",
    'padding' => "$good=", 'two of it' => "$good==",
    'half of it' => substr($good, 0, -21), 'one less' => substr($good, 0, -1),
    'one more' => "${good}A", 'zeros' => "$head.$body." . 'A' x 43,
    'of another body' => "$head."
        . encode_base64url('{"sub":"1"}') . ".$mac",
    'swapped' => "$body.$head.$mac", 'its body alone' => $body,
    'no dots' => $good =~ tr/.//dr, 'a blank' => "$head.$body. $mac",
    map({ my $bit = $_;
        my $bytes = decode_base64url($mac);
        vec($bytes, $bit, 1) ^= 1;
        ("bit $bit of it" => "$head.$body." . encode_base64url($bytes)) }
        map { $_ * 17 } 0 .. 14));

# the last of 43 letters has two bits that no byte has
{
    my @letters = ('A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_');
    my %index = map { $letters[$_] => $_ } 0 .. 63;
    my $last = $index{ substr $mac, -1 };

    refused('M11 other letters for the same bytes',
        map({ ("last letter + $_" => substr($good, 0, -1)
            . $letters[($last & ~3) | (($last + $_) & 3)]) } 1 .. 3),
        'a padded body' => do {
            my $text = "$head." . encode_base64url(JSON::PP->new->canonical
                ->encode($claims) . ' ') . '=';

            "$text." . $j->mac($text);
        },
        'not base64url' => do {
            my $text = "$head." . ($body =~ s/\A./+/r);

            "$text." . $j->mac($text);
        },
        'no base64' => do {
            my $text = "$head.{}*!";

            "$text." . $j->mac($text);
        },
        'no body' => do { my $text = "$head."; "$text." . $j->mac($text) });
}

# what is long; nginx itself refuses more than a few KiB
for my $len (1023, 1024, 4000) {
    my $token = $j->token({ %claims, pad => 'x' x 4000 });

    $token = substr $token, 0, $len;
    is(both($token), '401 401', "M11 $len bytes");
}

is(both($j->token({ %claims, pad => 'x' x 900 })), '401 401',
    'M11 a long one that is signed');
like(me(Authorization => 'Bearer ' . 'x' x 60_000), qr/\A4\d\d\z/,
    'M11 a huge header');
is(me(Authorization => $good), 401, 'M11 a token without a scheme');
is(me(Authorization => "Basic $good"), 401, 'M11 of another scheme');
is(me(Authorization => 'Bearer '), 401, 'M11 an empty one');
is(me(Authorization => 'Bearer null', Cookie => "aigw_session=$good"), 401,
    'M11 no cookie mends a wrong bearer');

for my $query (map { "$_=$good" } qw(token access_token aigw_session)) {
    is($s->call('GET', "/admin/api/me?$query")->status, 401,
        'M11 no token in a query: ' . $query =~ s/=.*//r);
}


# --- M12: claims, signed by the real secret ---

my $now = time;

# What %with says, without the claims of that name.
sub without ($name) {
    return $j->token({ map { $_ => $claims{$_} } grep { $_ ne $name }
        keys %claims });
}

sub with (%more) { return $j->token({ %claims, %more }) }

# a claim with bytes that JSON::PP would not write
sub raw ($name, $bytes) {
    my $text = JSON::PP->new->canonical->encode({ %claims, $name => 'HERE' });

    return $j->token($text =~ s/"HERE"/$bytes/r);
}

is(both(with(exp => $now + 60, nbf => $now)), '200 200', 'M12 a short one');

refused('M12 times',
    map({ ("no $_" => without($_)) } qw(exp nbf)),
    'expired' => with(exp => $now - 1), 'expires now' => with(exp => $now),
    'long ago' => with(exp => 1), 'at no time' => with(exp => 0),
    'below zero' => with(exp => -1), 'nbf to come' => with(nbf => $now + 120),
    'a clock 400 days back' => with(nbf => $now + 400 * 86400,
        iat => $now + 400 * 86400, exp => $now + 401 * 86400),
    map({ ("exp $_" => raw(exp => $_), "nbf $_" => raw(nbf => $_)) }
        '9223372036854775808', '9223372036854775807', '18446744073709551616',
        '1e300', '1e999', '-1e999', '1.5', 'null', 'true', '""', '[]', '{}',
        '"9999999999"', '[9999999999]', 'NaN', 'Infinity'));

refused('M12 whose and from where',
    map({ ("no $_" => without($_)) } qw(iss aud sub ver csrf)),
    map({ ("iss $_" => raw(iss => $_)) } '"AIGW"', '"aigw "', '""', 'null',
        '["aigw"]', '"aigw\u0000"', '1'),
    map({ ("aud $_" => raw(aud => $_)) } '"other"', '""', 'null', '1',
        qq(["$claims{aud}"]), qq("$claims{aud} ")),
    map({ ("sub $_" => raw(sub => $_)) } '"0"', '"-1"', '"1 "', '" 1"',
        '"99999999"', '"18446744073709551617"', '"ana"', '""', 'null',
        $claims{sub}, qq(["$claims{sub}"]), '"1e0"', '"0x1"',
        qq("0$claims{sub}"), qq("+$claims{sub}")),
    map({ ("ver $_" => raw(ver => $_)) } $claims{ver} + 1, $claims{ver} - 1,
        $claims{ver} + 4294967296, -1, 'null', qq("$claims{ver}"), 'true',
        "$claims{ver}.5"),
    map({ ("csrf $_" => raw(csrf => $_)) } '""', 'null', '1',
        '"' . 'x' x 31 . '"', '"' . 'x' x 33 . '"'));

refused('M12 bodies',
    map({ ("body $_" => $j->token($_)) } '', 'null', 'true', '[]', '"a"', '{',
        '{}', '{"iss":"aigw"', '[' x 300, "\xff\xfe", "\0"),
    'after the body' => $j->token(
        JSON::PP->new->canonical->encode($claims) . 'x'));


# --- M13, and secrets of others ---

{
    my $other = AIGW::Jwt->new($t->{dir} . '/store');
    my $dir = "$t->{dir}/secret/other";

    $t->run('store', 'init', $dir);
    $other = AIGW::Jwt->new($dir);
    isnt($other->secret, $j->secret, 'M13 another store has another secret');
    refused('M13 keys',
        'an empty one' => $j->token($claims, secret => ''),
        'zeros' => $j->token($claims, secret => "\0" x 32),
        'the label' => $j->token($claims, secret => 'aigw admin token 1'),
        'the head' => $j->token($claims, secret => $head),
        'the store\'s name' => $j->token($claims, secret => $claims{aud}),
        'the master key' => $j->token($claims,
            secret => $t->{secrets}{'the master key'}),
        'the master key in hex' => $j->token($claims,
            secret => $t->{secrets}{'the master key in hex'}),
        'another store\'s' => $other->token($claims),
        'another store\'s, for that' => $other->token({ %claims,
            aud => 'ffffffff' }));
}

is(both($good), '200 200', 'M11 M12 M13 after all that the good one holds');


# --- M14: a token ends with what it stands for ---

# A fresh token of a user, by a one-time link; no password is hashed.
sub fresh ($name) {
    my $link = $t->json('user', 'link', $name)->{token};
    my $r = $s->call('POST', '/admin/api/login/link', json => {
        token => $link });

    die 'link: ' . $r->status . ' ' . $r->body if $r->status != 200;

    return $r->json->{token};
}

my $admin = $s->admin;
my $n = 0;

sub api ($method, $path, %more) {
    my $r = $s->call($method, "/admin/api$path", token => $admin, %more);

    return $r->status < 300 ? () : "$method $path: " . $r->status . $r->body;
}

sub cli ($name, @args) {
    my $verb = shift @args;
    my ($exit, $out, $err) = $t->cli('user', $verb, $name, @args);

    return $exit ? $err : ();
}

# The end of each of two tokens of a new user; another one's stays.
sub ends ($how, $role, $do) {
    my $name = 'user' . ++$n;

    $t->run('user', 'create', $name, '--role', $role);

    my ($one, $two) = (fresh($name), fresh($name));

    is(both($one) . ' ' . both($two), '200 200 200 200', "M14 before: $how");
    is_deeply([$do->($name, $one)], [], "M14 $how: done");
    is(both($one) . ' ' . both($two), '401 401 401 401', "M14 after: $how");

    return ($name, $one);
}

ends('logged out', 'member', sub ($name, $token) {
    my $r = $s->call('POST', '/admin/api/logout', token => $token, json => {});

    return $r->status == 204 ? () : $r->status . $r->body;
});
ends('another password of one\'s own', 'member', sub ($name, $token) {
    my $r = $s->call('POST', '/admin/api/me/password', token => $token,
        json => { password => AIGW::random_text(20) });

    return $r->status == 204 ? () : $r->status . $r->body;
});
ends('another password by the command line', 'member', sub ($name, $) {
    $s->password($name);
    return;
});

for my $how ('disable', 'delete') {
    ends("$how by the API", 'member', sub ($name, $) {
        return $how eq 'delete' ? api('DELETE', "/users/$name")
            : api('POST', "/users/$name/$how", json => {});
    });
    ends("$how by the command line", 'auditor', sub ($name, $) {
        return cli($name, $how, $how eq 'delete' ? '--yes' : ());
    });
}

for my $case (['admin', 'member'], ['admin', 'auditor'],
    ['auditor', 'member'], ['member', 'auditor'], ['member', 'admin'])
{
    my ($from, $to) = @$case;

    ends("$from to $to by the API", $from, sub ($name, $) {
        return api('PATCH', "/users/$name", json => { role => $to });
    });
    ends("$from to $to by the command line", $from, sub ($name, $) {
        return cli($name, 'set', '--role', $to);
    });
}

{
    my ($name, $token) = ends('disabled', 'member', sub ($name, $) {
        return cli($name, 'disable');
    });

    is_deeply([cli($name, 'enable')], [], 'M14 enabled again');
    is(both($token), '401 401', 'M14 the old token stays ended');
    is(both(fresh($name)), '200 200', 'M14 a new one is good');

    my ($exit) = $t->cli('user', 'delete', $name, '--yes');

    is($exit, 0, 'M14 deleted');
    $t->run('user', 'create', $name);
    is(both($token), '401 401', 'M14 another one of that name is another');
}

is(both($good), '200 200', 'M14 who had nothing to do with it stays');
is(me(Authorization => "Bearer $admin"), 200, 'M14 the admin too');

$t->finish;
