# Accounts that people make themselves: who may by the setting `signup`, what an
# invitation gives, in the origin's words and in ours; the first admin by the
# token of `store init`; and that all of it cannot be asked often.

use v5.36;
use utf8;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";
use AIGW;
use AIGW::Serve;

binmode $_, ':encoding(UTF-8)' for map { Test::More->builder->$_ }
    qw(output failure_output todo_output);

my $t = AIGW->new(start => 0);
my ($bootstrap) = $t->{transcript} =~ /(aigwt_\w+)/;

$t->{transcript} =~ s/\Q$bootstrap\E/(shown once)/g;
$t->secret('the token of store init', $bootstrap);

my $s = AIGW::Serve->new($t);
my $password = secret('a password');
my $host = 1;

sub secret ($name) {
    my $text = 'pw ' . AIGW::random_text(20);

    $t->secret($name, $text);

    return $text;
}

# A text of an invitation with these options.
sub invite (@options) {
    my $token = $t->json('invite', 'create', @options)->{token};

    $t->secret("invitation @options", $token);
    $t->{transcript} =~ s/\Q$token\E/(shown once)/g;

    return $token;
}

# Each from an address of its own, unless said: nobody waits for others.
sub ask ($path, $json, $from = undef) {
    my $r = $s->call('POST', $path, json => $json,
        from => $from // '127.0.1.' . $host++);

    for (grep { defined } @{ $r->json // {} }{qw(access_token token)}) {
        $t->secret("token of $host", $_);
    }

    return $r;
}

sub origin ($name, %more) {
    my $from = delete $more{from};

    return ask('/register', { username => $name, password => $password,
        %more }, $from);
}

sub ours ($name, %more) {
    return ask('/admin/api/register', { name => $name, password => $password,
        %more });
}

sub refused ($r, $status, $text, $name) {
    is($r->status, $status, "$name: $status") or diag($r->body);
    is(eval { $r->json->{detail} } // $r->code, $text, "$name: its text");
}

sub user ($name) {
    my $user = $t->json('user', 'show', $name);

    return "$user->{role} " . ($user->{quota} // 'unlimited');
}


# --- who may ---

my $need = "注册需要邀请码（invite_code），请向管理员索取";
my $bad = "邀请码无效或已过期";

refused(origin('eva'), 403, $need, 'unless opened: without an invitation');
refused(ours('eva'), 403, 'invitation_needed', 'in our words');
refused(origin('admin'), 403, $need,
    'who has none learns nothing about names');
refused(origin('admin', invite_code => 'aigwt_' . 'x' x 49), 403, $bad,
    'nor who has a wrong one');

my $link = $t->json('user', 'link', 'admin')->{token};

$t->{transcript} =~ s/\Q$link\E/(shown once)/g;
$t->secret('link', $link);
refused(origin('eva', invite_code => $link), 403, $bad,
    'a link that logs in invites nobody');
refused(origin('eva', invite_code => $bootstrap), 403, $bad,
    'nor does the token of init');

my $two = invite('--quota', 7, '--uses', 2);

refused(origin('admin', invite_code => $two), 400, "用户名已存在",
    'a name that is taken');

my $r = origin('eva', invite_code => $two);

is($r->status, 200, 'by an invitation') or diag($r->body);
is(user('eva'), 'member 7', 'its role and quota');
is($s->call('GET', '/project/list', token => $r->json->{access_token})->status,
    200, 'and logged in');
$r = ours('evi', invite => $two);
is($r->status, 200, 'in our words') or diag($r->body);
is_deeply([@{ $r->json }{qw(name role token_type)}], [qw(evi member Bearer)],
    'as from /admin/api/login');
refused(origin('evo', invite_code => $two), 403, $bad, 'used up');
$r = ours('audi', invite => invite('--role', 'auditor'), cookie =>
    JSON::PP::true);
is(user('audi'), 'auditor unlimited', 'an auditor');
is($r->json->{token}, undef, 'with a cookie: the token is not in the answer');
like($r->header('Set-Cookie'),
    qr/\Aaigw_session=[\w.-]+; Path=\/; .*HttpOnly; SameSite=Strict/,
    'but in the cookie');
$t->secret('cookie', $r->header('Set-Cookie') =~ /=([\w.-]+)/);

$t->run('setting', 'set', 'signup', 'closed');

my $one = invite();

refused(origin('evo', invite_code => $one), 403,
    "注册已关闭，请联系管理员创建账号",
    'closed: not even by an invitation');
refused(ours('evo', invite => $one), 403, 'signup_closed', 'in our words');

$t->run('setting', 'set', 'signup', 'open');
$t->run('setting', 'set', 'signup_quota', '2.5');
is(origin('小红')->status, 200, 'open: without an invitation');
is(ours('ida')->status, 200, 'in our words');
is(user('ida'), 'member 2.5', 'a member with the quota that is set');
refused(ours('ida'), 409, 'conflict', 'a name twice');
is(origin('ivy', invite_code => $one)->status, 200, 'or by one');
is(user('ivy'), 'member 100', 'which says more');
is(origin('ivo', invite_code => undef)->status, 200, 'null is none');
is(origin('iva', invite_code => '', role => 'admin', quota => 1e6)->status, 200,
    'M09 what is not asked for');
is(user('iva'), 'member 2.5', 'counts for nothing');

my ($made) = grep { "$_->{action} $_->{name}" eq 'create ivo' }
    @{ $t->json('audit', 'list')->{items} };

like("$made->{actor} $made->{via} $made->{from} $made->{object}",
    qr/\Aapi api 127\.0\.1\.\d+ user\z/, 'M26 it stands in the audit log');


# --- fields ---

for (['1234', 'digits alone'], ['-x', 'a minus in front'], ['a b', 'a blank'],
    ['a@b', 'an @'], ['x' x 65, '65 bytes'], ["a\nb", 'a line'],
    ['<script>', 'markup'])
{
    my ($name, $what) = @$_;

    $r = origin($name);
    is($r->status . ' ' . join(' ', map { "@{ $_->{loc} } $_->{type}" }
        @{ $r->json->{detail} }), '422 body username value_error', $what);
    $r = ours($name);
    is($r->status . ' ' . ($r->json->{error}{field} // ''), '400 name',
        "$what: in our words");
}

$password = 'short';
$r = origin('evo');
is($r->json->{detail}[0]{type}, 'string_too_short', 'a short password');
is(ours('evo')->json->{error}{field}, 'password', 'in our words');
$password = 'x' x 1025;
is(origin('evo')->json->{detail}[0]{type}, 'string_too_long', 'a long one');
$password = secret('another');
is(ours('evo', quota => '1')->json->{error}{field}, 'quota',
    'M09 unknown fields are refused in our words');
is(ours('evo', invite => 7)->json->{error}{field}, 'invite',
    'an invitation that is no text');


# --- the first admin ---

sub init (%body) { return ask('/admin/init', \%body) }

my $used = "初始化令牌无效或已使用";

is(init(password => $password)->json->{detail}[0]{type}, 'missing',
    'M01 without the token of init: none');
refused(init(token => $one, password => $password), 403, $used,
    'nor by another');
refused(init(token => $link, password => $password), 403, $used, 'nor a link');
refused(init(token => $bootstrap, username => 'eva', password => $password),
    400, "用户名已存在，且不是管理员",
    'somebody else is not made one');

$r = init(token => $bootstrap, password => $password);
is($r->status, 200, 'by it') or diag($r->body);
is_deeply([@{ $r->json }{qw(code msg)}], [200, "管理员初始化成功"],
    'code and msg');
is_deeply([@{ $r->json->{data} }{qw(username token_type)}],
    ['admin', 'bearer'], 'who');

my $admin = $r->json->{data}{access_token};

$t->secret('token of admin', $admin);
is($s->call('GET', '/admin/api/users', token => $admin)->status, 200,
    'it is an admin');
refused(init(token => $bootstrap, password => secret('late')), 403, $used,
    'once');
is($s->call('POST', '/login', from => '127.0.3.1', headers => ['Content-Type',
    'application/x-www-form-urlencoded'], body => 'username=admin&password='
    . $password =~ s/ /+/r)->status, 200, 'and the password stands');


# --- not often ---

my $last;

for (1 .. 6) {
    $last = origin('ida', from => '127.0.2.1');
    last if $last->status != 400;
}

refused($last, 429, "请求过于频繁，请稍后再试",
    'M15 names cannot be tried out');
like($last->header('Retry-After'), qr/\A[1-9]\d*\z/, 'and when again');
is(ask('/admin/api/register', { name => 'ida', password => $password },
    '127.0.2.1')->status, 429, 'in our words as little');
is(origin('ida', from => '127.0.2.2')->status, 400, 'others may');

for (1 .. 60) {
    $last = origin('ida');
    last if $last->status == 429;
}

refused($last, 429, "请求过于频繁，请稍后再试",
    'M15 nor from very many addresses');
is($s->call('GET', '/project/list', token => $admin)->status, 200,
    'who has a session is not held up');

$t->finish;
