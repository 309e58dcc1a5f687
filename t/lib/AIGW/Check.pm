# What every test file owes when it ends: clean logs, one row for each admitted
# or refused call, sums that are equal wherever they are shown, and no secret
# anywhere. t/harness.t plants a failure for each and wants it found.

package AIGW::Check;

use v5.36;

use File::Find ();
use Test::More ();
use Time::HiRes qw(time sleep);


# "12.5" as nano-units; undef stays undef (unlimited).
sub nano ($text) {
    return undef if !defined $text;

    my ($minus, $whole, $part) = $text =~ /\A(-?)(\d+)(?:\.(\d{1,9}))?\z/
        or die "not an amount: '$text'\n";

    return ($minus ? -1 : 1)
        * ($whole * 1_000_000_000 + substr(($part // '') . '0' x 9, 0, 9));
}


# credits => 1: there are rows of less than nothing, which only `store verify`
# judges.
sub run ($t, %opt) {
    my $builder = Test::More->builder;
    my @rows;
    my %found = (
        $opt{credits} ? () : (rows => [rows($t, \@rows)],
            sums => [sums($t, @rows)]),
        verify => [verify($t)],
        'command lines' => [argv($t)],
    );

    my $status = $t->{nginx} ? $t->stop : 0;

    $found{end} = $status eq '0' ? [] : ["nginx ended with '$status'"];
    $found{'rows at the end'} = [rows($t)] unless $opt{credits};
    $found{logs} = [logs($t)];
    $found{secrets} = [secrets($t)] unless $ENV{TEST_DEBUG};

    for my $name ('rows', 'sums', 'verify', 'end', 'rows at the end', 'logs',
        'command lines', 'secrets')
    {
        my $faults = $found{$name} // [];

        $builder->ok(!@$faults, "finish: $name");
        $builder->diag($_) for @$faults > 10 ? @$faults[0 .. 9] : @$faults;
    }
}


# --- rows ---

# Answers that own a row: no model list, no unknown path or method (design,
# section 2).
sub owns_row ($r) {
    my ($route) = $r->{path} =~ m{^/+v1/+(chat/+(?:\./+)?completions|completions
        |embeddings|models(?:/[^?]*)?)(?:\?|\z)}x or return 0;

    return 0 if $r->{method} eq 'OPTIONS' && $r->status == 204;
    return 0 if $route =~ /^models/
        && ($r->status == 200 || $r->code eq 'model_not_found');
    return $r->code ne 'unknown_url';
}


# found: takes the rows.
sub rows ($t, $found = []) {
    my @answers = grep { $_->{path} =~ m{^/+v1/} && !$_->{nginx} }
        @{ $t->{answers} };
    my @owners = grep { owns_row($_) } @answers;
    my $deadline = time + 1;
    my (@rows, %rows, @missing, @faults, %seen);

    do {
        @rows = $t->rows;
        %rows = map { $_->{id} => $_ } @rows;
        @missing = grep { !$rows{ $_->id } } @owners;
        sleep 0.05 if @missing;
    } while (@missing && time < $deadline);

    @$found = @rows;

    for my $r (@answers) {
        push @faults, "an answer $r->{status} to $r->{path} has x-request-id '"
            . $r->id . "'" if $r->id !~ /\A[0-9a-f]{32}\z/ || $seen{ $r->id }++;
    }

    push @faults, "a row has the same id as another" if @rows != keys %rows;

    my $unlogged = $t->json('store', 'stats')->{refusals_unlogged}
        - $t->{extra_unlogged};
    my @lost = grep { $_->status < 400 } @missing;

    push @faults, map { 'no row ' . $_->id . " of an answer $_->{status} to"
        . " $_->{path}" } @missing != $unlogged ? @missing : @lost;
    push @faults, scalar(@missing) . " answers have no row, but $unlogged"
        . ' were left out' if @missing != $unlogged;

    # what was given back answers nobody
    my $orphans = @missing - @owners + grep { $_->{kind} eq 'call' } @rows;

    push @faults, "$orphans rows have no answer, $t->{extra_rows} should"
        if $orphans != $t->{extra_rows};

    return @faults;
}


# --- sums ---

sub sums ($t, @rows) {
    my (%spent, @faults);

    for my $row (@rows) {
        my $cost = nano($row->{cost});

        push @faults, "row $row->{id} costs $row->{cost}"
            if $cost < 0 && $row->{kind} eq 'call';
        $spent{usage} += $cost;

        for my $kind (qw(user project key)) {
            my $id = $row->{"${kind}_id"};

            $spent{$kind}{$id} += $cost if defined $id;
        }
    }

    my $cost = nano($t->json('usage', 'show')->{cost});

    push @faults, "usage show says $cost nano, rows " . ($spent{usage} // 0)
        if $cost != ($spent{usage} // 0);

    for my $kind (qw(user project)) {
        for my $item (@{ $t->json($kind, 'list', '--limit', 1000)->{items} }) {
            my $want = $spent{$kind}{ $item->{id} } // 0;

            push @faults, "$kind $item->{name}: spent $item->{spent},"
                . " rows $want nano" if nano($item->{spent}) != $want;
            push @faults, "$kind $item->{name}: held $item->{held}"
                if nano($item->{held}) != 0;
        }
    }

    for my $item (@{ $t->json('usage', 'show', '--by', 'key')->{items} }) {
        my $want = $spent{key}{ $item->{group_id} // '' } // 0;

        push @faults, "key $item->{group}: $item->{cost}, rows $want nano"
            if defined $item->{group_id} && nano($item->{cost}) != $want;
    }

    return @faults;
}


# What `store verify` finds, a line each.
sub verify ($t) {
    my ($exit, $out, $err) = $t->cli('store', 'verify', '--json');
    my $answer = eval { JSON::PP::decode_json($out) } // { items => [] };
    my @faults = map {
        my $item = $_;

        join ' ', 'verify:', map { "$_=$item->{$_}" }
            grep { defined $item->{$_} } sort keys %$item;
    } @{ $answer->{items} };

    return @faults ? @faults : $exit ? "store verify: exit $exit: $err" : ();
}


# --- logs ---

sub logs ($t) {
    my @faults;

    for my $name (qw(error.log nginx.stderr)) {
        for (split /\n/, AIGW::slurp("$t->{dir}/$name")) {
            my $line = $_;

            next if !/\[(?:alert|crit|emerg)\]|Sanitizer|runtime error:/;
            next if grep { $line =~ $_ } @{ $t->{alerts} };
            push @faults, "$name: $line";
        }
    }

    return @faults;
}


# --- secrets ---

# The master key, as its file has it and as bytes and hex.
sub plant_master_key ($t) {
    my $text = AIGW::slurp("$t->{dir}/store/key");

    die "no master key at $t->{dir}/store/key\n" if !length $text;

    my ($hex) = $text =~ /([0-9a-fA-F]{64})/;
    my $bytes = $hex ? pack 'H*', $hex : substr $text, -32;

    $t->{secrets}{'the master key'} = $bytes;
    $t->{secrets}{'the master key in hex'} = unpack 'H*', $bytes;
}


# Names of the secrets that a text has in it.
sub find ($t, $text) {
    return grep { index($text, $t->{secrets}{$_}) >= 0 }
        sort keys %{ $t->{secrets} };
}


# Command lines and environments of all that was started.
sub argv ($t) {
    my @pids = grep { defined } $$, map {
        $_ ? ($_->pid, $_->children) : ()
    } $t->{nginx}, $t->{sim}{process};

    return map {
        my $pid = $_;

        map {
            my $file = $_;

            map { "/proc/$pid/$file has $_" }
                find($t, AIGW::slurp("/proc/$pid/$file"));
        } qw(cmdline environ);
    } @pids;
}


# Every file of the test but those that hold secrets by purpose, the live
# files, and all that the command line printed.
sub secrets ($t) {
    my @faults = map { "output of aigw has $_" } find($t, $t->{transcript});
    my %skip = map { ("$t->{dir}/$_" => 1) } 'secret', 'store/key';

    File::Find::find({ no_chdir => 1, wanted => sub {
        if ($skip{$_}) {
            $File::Find::prune = 1;

        } elsif (-f) {
            my $path = $_;

            push @faults, "$path has $_" for find($t, AIGW::slurp($path));
        }
    } }, grep { defined && -d } $t->{dir}, $t->{live});

    return @faults;
}

1;
