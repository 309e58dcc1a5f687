#!/usr/bin/perl

# Every command of the table, by its own example: `--json` parses and has the
# fields that the table names and that design, section 8, fixes. First with
# --dry-run, which does all but change something.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin, "$FindBin::Bin/../lib";
use AIGW;
use AIGW::Sim;
use Cli;

my $user = [qw(id name role quota spent held remaining enabled active)];
my $invite = [qw(id kind user role quota uses_left created_at expires_at)];
my $project = [qw(id name user quota spent held remaining enabled active
    expires_at models cap disconnect)];
my $key = [qw(id name prefix last4 project enabled active expires_at
    last_used_at quota spent held remaining models revoked_at grace_ends_at)];
my $gone = [qw(id name deleted)];
my $row = [qw(id time settled_at node user project key user_id project_id
    key_id tag model route stream status verdict settled flags prompt_tokens
    completion_tokens total_tokens cached_tokens reasoning_tokens
    price_version hold cost duration_ms ttft_ms attempts error kind ref
    note)];
my $credit = [qw(id time kind user project key ref note cost booked)];
my $subkey = [qw(name project project_id upstream state remote_id quota
    expires_at models created_at)];
my $usage = [qw(calls ok_calls refused_calls success_rate prompt_tokens
    completion_tokens total_tokens cost estimated_share)];

# What scripts hold on to, said a second time: the table cannot drop a field.
my %contract = (
    (map { ("user $_" => [@$user, 'has_password']) }
        qw(create show set disable enable password)),
    'user list' => $user,
    'user link' => [qw(user url token expires_at)],
    'store init' => [qw(path id group key_file admin bootstrap_token)],
    'invite list' => $invite,
    'invite create' => [@$invite, qw(url token)],
    'invite delete' => [qw(id deleted)],
    (map { ("project $_" => $project) } qw(list show set disable enable)),
    'project create' => [qw(project key base_url)],
    (map { ("key $_" => $key) } qw(list show set disable enable revoke)),
    (map { ("key $_" => [@$key, 'key', 'base_url']) } qw(create rotate)),
    (map { ("$_ delete" => $gone) } qw(user project key)),
    (map { ("model $_" => [qw(name alias_of created_at prompt completion
        max_output context reasons)]) }
        qw(set list)),
    'model delete' => [qw(name deleted)],
    (map { ("subkey $_" => $subkey) } qw(create list show rotate retire)),
    'upstream orphans' => [@$subkey, 'there'],
    (map { ("log $_" => $row) } qw(list show tail)),
    'usage show' => ['group', @$usage],
    'project credit' => [@$credit, qw(quota spent held remaining)],
    'log refund' => $credit,
    reconcile => [qw(day model calls their_calls tokens their_tokens cost
        their_cost difference percent)],
    explain => [qw(target now binds binds_of would_hold would_limit rules
        accounts)],
    'audit list' => [qw(seq time actor from action object object_id name
        before after)],
    'audit verify' => [qw(records sound fault seq head)],
    top => [qw(id time age_ms user project key user_id project_id key_id tag
        model route stream state held text_bytes prompt_tokens
        completion_tokens journal)],
);

my @listed = qw(user project key setting price model upstream log audit
    subkey);
my %kind;

$kind{$_} = 'amount' for qw(quota spent held remaining cost hold prompt
    completion cached cache_write reasoning returned would_hold refunded
    their_cost difference);
$kind{$_} = 'bool' for qw(enabled active stream deleted reasons booked
    has_password there);
$kind{$_} = 'time' for qw(time settled_at expires_at last_used_at created_at
    changed_at from_at revoked_at grace_ends_at);
$kind{$_} = 'count' for qw(node user_id project_id key_id status
    prompt_tokens completion_tokens total_tokens cached_tokens
    reasoning_tokens price_version duration_ms ttft_ms attempts age_ms
    text_bytes journal calls
    ok_calls refused_calls max_output context rows users projects keys schema);
$kind{$_} = 'array' for qw(flags);
$kind{$_} = 'number' for qw(success_rate estimated_share);

# Is a value of the form that its name promises? The raw text tells a number
# from a string, which Perl forgets.
sub has_form {
    my ($name, $value) = @_;
    my $kind = $kind{$name} or return 1;
    my $raw = JSON::PP->new->allow_nonref->canonical->encode($value);

    return 1 if $raw eq 'null';
    return $raw =~ /^"-?\d+(\.\d{1,9})?"$/ if $kind eq 'amount'
        && $name =~ /^(?:cost|spent|difference)$/;
    return $raw =~ /^"\d+(\.\d{1,9})?"$/ if $kind eq 'amount';
    return $raw =~ /^(true|false)$/ if $kind eq 'bool';
    return $raw =~ /^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"$/
        if $kind eq 'time';
    return $raw =~ /^\d+$/ if $kind eq 'count';
    return $raw =~ /^[\d.]+$/ || $raw =~ /^"[\d.]+"$/ if $kind eq 'number';
    return ref $value eq 'ARRAY';
}

sub check_thing {
    my ($thing, $fields, $name) = @_;
    my @missing = grep { !exists $thing->{$_} } @$fields;
    my @bad = grep { !has_form($_, $thing->{$_}) } keys %$thing;

    is_deeply(\@missing, [], "$name: every field is there");
    is_deeply(\@bad, [], "$name: values have their forms")
        or diag(JSON::PP->new->pretty->encode($thing));
}

# The forms of the kinds that the table of fields names.
my %form = (
    text => qr/^"/, choice => qr/^"[a-z]+"$/, amount => qr/^"\d+(\.\d{1,9})?"$/,
    sum => qr/^"-?\d+(\.\d{1,9})?"$/, exact => qr/^"-?\d+(\.\d{1,15})?"$/,
    time => qr/^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"$/,
    id => qr/^[1-9]\d*$/, count => qr/^\d+$/, number => qr/^-?\d+(\.\d+)?$/,
    switch => qr/^(?:true|false)$/, words => qr/^\[(?:"|\]$)/,
    object => qr/^\{/, members => qr/^\{/, objects => qr/^\[(?:\{|\]$)/,
);

# JSON::PP cannot tell a number with a point from a string once it is decoded.
sub of_other_kind {
    my ($thing, $kinds) = @_;

    return grep {
        my $raw = JSON::PP->new->allow_nonref->encode($thing->{$_});
        my $kind = $kinds->{$_};

        $kind && $raw ne 'null' && ($kind eq 'number'
            ? $raw !~ /^"?-?\d+(?:\.\d+)?"?$/ : $raw !~ $form{$kind});
    } sort keys %$thing;
}

# A small upstream, for `upstream test`.
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5)
    or die $!;
my $port = $server->sockport;
my $child = fork() // die $!;

if ($child == 0) {
    while (my $c = $server->accept) {
        while (defined(my $line = <$c>)) { last if $line =~ /^\r?\n/ }
        my $body = '{"object":"list","data":[{"id":"gpt-4o"},{"id":"o3"}]}';
        print $c "HTTP/1.1 200 OK\r\nContent-Length: ", length $body,
            "\r\nConnection: close\r\n\r\n$body";
        close $c;
    }
    exit 0;
}

close $server;

new_store();
chdir dir() or die $!;
spew('key.txt', "sk-planted-4f9a7c1e5b8d\n");
spew('password.txt', "correct horse\n");
chmod 0600, 'key.txt', 'password.txt';

my $sim = AIGW::Sim->new("$AIGW::build/aigw-sim", '--newapi', 'new',
    '--master-file', 'key.txt', '--key-file', 'key.txt');
my $die;                            # a worker with a call in flight

# What the examples find in the store when their turn comes.
my %before = (
    'user delete' => sub { json('user', 'create', 'eve') },
    'project delete' => sub { json('project', 'create', 'old') },
    'upstream test' => sub {
        json({ stdin => "sk-x\n" }, 'upstream', 'set', '4sapi', '--url',
            "http://127.0.0.1:$port");
    },
    'upstream orphans' => sub {
        json('upstream', 'set', '4sapi', '--key-file', 'key.txt', '--url',
            'http://127.0.0.1:' . $sim->port, '--driver', 'newapi',
            '--master-token-file', 'key.txt', '--master-user', 7);
        json('project', 'create', 'lost');
        json('subkey', 'create', '--project', 'lost');
        json('project', 'delete', 'lost', '--yes');
    },
    'log list' => sub {
        my $k = json('key', 'list', '--project', 'demo')->{items}[0];
        my $p = json('project', 'show', 'demo');
        my $now = time() * 1000;

        seed('ledger',
            [$now - 2000, 1, $p->{id}, $k->{id}, 'gpt-4o', 200, 0, 1, 1, 1,
             9, 3, 120_000],
            [$now - 1000, 1, $p->{id}, $k->{id}, 'gpt-4o', 403, 7, 0, 0, 0,
             0, 0, 0]);
    },
    'store import' => sub {
        aigw('store', 'init', dir() . '/example2');
    },
    top => sub {
        my $k = json('key', 'list', '--project', 'demo')->{items}[0];
        my $p = json('project', 'show', 'demo');

        $die = fly([time() * 1000, 1, $p->{id}, $k->{id}, 'gpt-4o', 0, 0, 0,
            1, 1, 7, 9, 1000]);
    },
);

my $dir = dir();

# What a change would change: the store, or that there is none.
sub state_of {
    my ($store) = @_;

    return [map { -e "$store/$_" ? slurp("$store/$_") : undef }
        qw(control/data.mdb key)];
}

sub dry_run {
    my ($name, $example) = @_;
    my $store = $name eq 'store init' ? "$dir/example" : $ENV{AIGW_STORE};
    my $before = state_of($store);
    my $r = aigw({ shell => $example =~ s/ --yes\b//r . ' --dry-run --json' });
    my $answer = eval { JSON::PP->new->utf8->decode($r->{out}) } // {};

    is($r->{exit}, 0, "$name --dry-run") or diag($r->{err});
    ok($answer->{dry_run}, '... says so');
    unlike($r->{out} . $r->{err}, qr/aigwt?_\w{20}/, '... shows no key');
    ok(eq_array(state_of($store), $before), '... changes nothing');

    return $answer;
}

# Which store a command that writes tells of itself; a backup changes none.
my %told = ('store init' => "$dir/example", 'store import' => "$dir/example2",
    'store backup' => undef);

sub last_record {
    my ($store) = @_;

    return undef if !-e "$store/control";
    return json('audit', 'list', '--limit', '1', '--store', $store)
        ->{items}[0];
}

my $tree = json('help');
my %seen;

for my $command (@{ $tree->{commands} }) {
    my $name = $command->{name};
    my $example = $command->{example} =~ s{/var/lib/aigw}{$dir/example}r
        =~ s{/run/}{$dir/}r;

    is_deeply([grep { !defined $command->{kinds}{$_} }
        @{ $command->{fields} }, @{ $command->{further_fields} }], [],
        "$name: each field has a kind");

    $before{$name}->() if $before{$name};
    $seen{$name} = 1;

    if ($command->{writes}) {
        my $answer = dry_run($name, $example);

        check_thing($_, $command->{fields}, "$name --dry-run")
            for $command->{list} ? @{ $answer->{items} } : $answer;

    } else {
        is(aigw({ shell => "$example --dry-run" })->{exit}, 2,
            "$name changes nothing: exit 2");
    }

    my $store = exists $told{$name} ? $told{$name} : $ENV{AIGW_STORE};
    my $last = $command->{writes} && $store ? last_record($store) : undef;
    my $endless = $name =~ /^(?:log tail|serve)$/;
    my $r = aigw({ shell => ($endless ? 'exec ' : '') . "$example --json",
        seconds => $endless ? 0.5 : 0 });

    is($r->{exit}, $name eq 'log tail' ? 130 : 0, $example)
        or diag($r->{err});
    is($r->{err}, '', "$name: nothing on stderr");

    if ($name eq 'log tail') {
        my @rows = map { eval { JSON::PP->new->utf8->decode($_) } }
            split /\n/, $r->{out};

        is(scalar @rows, 4, "$name: one object a line");
        check_thing($_, $contract{$name}, $name) for @rows;
        next;
    }

    if ($command->{writes} && $store) {
        my $record = last_record($store);

        ok($record && $record->{seq} > ($last ? $last->{seq} : 0),
            "M26 $name: stands in the audit log");
        is("$record->{via} $record->{actor}", 'shell ' . getpwuid($<),
            '... with who it was');
    }

    my $answer = eval { JSON::PP->new->utf8->decode($r->{out}) };

    is(ref $answer, 'HASH', "$name: one JSON object") or next;
    is($r->{out} =~ tr/\n//, 1, "$name: on one line");

    my @things = $answer;

    if ($command->{list} || exists $answer->{items}) {
        is(ref $answer->{items}, 'ARRAY', "$name: items");
        ok(exists $answer->{next}, "$name: next");
        cmp_ok(scalar @{ $answer->{items} }, $name eq 'store verify' ? '=='
            : '>', 0, "$name: as many as there are");
        @things = @{ $answer->{items} };
    }

    for my $thing (@things) {
        check_thing($thing, $command->{fields}, "$name (table)");
        check_thing($thing, $contract{$name}, "$name (contract)")
            if $contract{$name};

        my %known = map { $_ => 1 } @{ $command->{fields} },
            @{ $command->{further_fields} };

        is_deeply([grep { !$known{$_} } keys %$thing], [],
            "$name: the table knows every field");
        is_deeply([of_other_kind($thing, $command->{kinds})], [],
            "$name: they are of the kinds that it says");
    }

    check_thing($answer->{project}, $project, "$name: project")
        if $name eq 'project create';
}

is_deeply([map { $_->{name} } grep { $_->{writes} != ($_->{name}
    =~ /^store[ ]init|(?:backup|create|set|able|rotate|revoke|delete|test)$
        |credit$|refund$|prune$|import$|password$|link$|orphans$|retire$/x) }
    @{ $tree->{commands} }], [], 'what changes something says so');

# A trial is seen by its own command, and holds nobody up.

{
    my $r = aigw('user', 'create', 'dry', '--dry-run');

    like($r->{out}, qr/^name +dry$/m, 'a trial');
    is($r->{err}, "dry run: nothing was changed\n", '... told to people');
    fails(3, 'user', 'show', 'dry');
    fails(5, 'user', 'create', 'admin', '--dry-run');
    fails(3, 'key', 'delete', 'nosuch', '--dry-run');
    fails(5, 'store', 'init', $ENV{AIGW_STORE}, '--dry-run');
    fails(6, 'store', 'init', "$dir/no/where", '--dry-run');
    is(aigw('user', 'create', 'dry', '-q')->{exit}, 0, 'then in earnest');
}

is_deeply([grep { !$seen{$_} } keys %contract], [],
    'the table has every command of the contract');
is_deeply([grep { !$seen{"$_ list"} } @listed], [], 'and every list');

# An ungrouped report is one flat object; numbers agree to the last digit.

my $sum = json('usage', 'show');
my $rows = [grep { $_->{kind} eq 'call' } @{ json('log', 'list')->{items} }];

check_thing($sum, $usage, 'usage show');
is($sum->{cost}, '-5', 'cost of all: a credit, and a call given back');
is($rows->[1]{cost}, '0.00012', 'cost of the row');
is($rows->[0]{settled}, undef, 'a refused call is not settled');
is($rows->[0]{verdict}, 'model_not_allowed', '... has its code');
like($rows->[0]{error}, qr/model/, '... and its reason');
is($rows->[1]{verdict}, 'ok', 'an admitted one is ok');
is($rows->[1]{settled}, 'exact', '... exactly settled');
is($rows->[1]{error}, undef, '... without error');

$die->();
kill 'TERM', $child;
waitpid $child, 0;

done_testing();
