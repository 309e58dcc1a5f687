# Many clients at once (t/sim/load.c), and the books that must be right when
# they are done: for tests of so many calls that AIGW::Check would take too
# long with them.
#
#   my $load = AIGW::Load->start($t, key => $key, connections => 64,
#       requests => 1000, obey => 1);
#   my $report = $load->report(60);
#   my @faults = AIGW::Load::books($t, 'alice');

package AIGW::Load;

use v5.36;

use JSON::PP ();
use Time::HiRes qw(time sleep);

use AIGW::Check;
use AIGW::Process;

my $started = 0;


# Options: key, body (text; else the default), connections, requests, obey,
# vary (a seed), aborts (percent), ids => 1.
sub start ($class, $t, %opt) {
    my $self = bless { t => $t }, $class;
    my $n = ++$started;
    my @argv = ("$AIGW::build/aigw-sim", '--load',
        'http://127.0.0.1:' . $t->port . '/v1/chat/completions',
        '--key-file', $t->secret_file("client.$n", $opt{key}));

    push @argv, '--body-file', $t->secret_file("body.$n", $opt{body})
        if defined $opt{body};
    push @argv, '--obey' if $opt{obey};

    if ($opt{ids}) {
        $self->{ids_file} = "$t->{dir}/secret/ids.$n";
        push @argv, '--ids-file', $self->{ids_file};
    }

    for my $name (qw(connections requests vary aborts)) {
        push @argv, "--$name", $opt{$name} if defined $opt{$name};
    }

    $self->{process} = AIGW::Process->start(\@argv);

    return $self;
}


sub running ($self) { return $self->{process}->alive }


# What it says in the end; {} if it does not end in time.
sub report ($self, $timeout) {
    my $text = $self->{process}->output($timeout);

    $self->{process}->stop('KILL') if !defined $text;
    $self->{process}->wait;

    return JSON::PP::decode_json($text || '{}');
}


# The ids of all answers of 200 that came whole.
sub ids ($self) {
    return split /\n/, AIGW::slurp($self->{ids_file});
}


# Rows as hashes of a few columns, taken out of the text of the answer: a tenth
# of the time that a parser needs.
sub rows ($t, @filter) {
    my ($next, @rows);

    do {
        my ($exit, $text) = $t->cli('log', 'list', '--limit', 1000, '--json',
            @filter, defined $next ? ('--cursor', $next) : ());

        die "log list: exit $exit\n" if $exit;

        for my $item ($text =~ /\{"id":[^{}]*\}/g) {
            my %row;

            for my $name (qw(id settled_at verdict settled status attempts
                cost hold key_id project_id user_id flags))
            {
                ($row{$name}) = $item =~ /"$name":"?(\[[^\]]*\]|[^",}]*)/;
            }

            $row{settled} = undef if $row{settled} eq 'null';
            push @rows, \%row;
        }

        ($next) = $text =~ /"next":"([^"]*)"/;
    } while (defined $next);

    # another form of the answer would make all of them few
    my $rows = $t->json('store', 'stats')->{rows};

    die scalar(@rows) . " rows were read of $rows\n"
        if !@filter && @rows < $rows;

    return @rows;
}


# What is wrong with the books of one project, of which rows takes the rows:
# ids, sums, holds. Within 1 s of the last answer all is right.
sub books ($t, $project, $rows = []) {
    my $deadline = time + 1;
    my @faults;

    do {
        sleep 0.05 if @faults;

        my $shown = $t->json('project', 'show', $project);
        my (%ids, $sum);

        @$rows = rows($t, '--project', $project);
        @faults = ();
        $sum += AIGW::Check::nano($_->{cost}) for @$rows;
        $ids{ $_->{id} }++ for @$rows;

        push @faults, "held $shown->{held}" if $shown->{held} ne '0';
        push @faults, "spent $shown->{spent}, rows " . ($sum // 0) . ' nano'
            if AIGW::Check::nano($shown->{spent}) != ($sum // 0);
        push @faults, map { "$ids{$_} rows $_" } grep { $ids{$_} > 1 }
            keys %ids;
        push @faults, "a row costs $_->{cost}"
            for grep { $_->{cost} =~ /^-/ } @$rows;
    } while (@faults && time < $deadline);

    my $usage = $t->json('usage', 'show', '--project', $project)->{cost};
    my $spent = $t->json('project', 'show', $project)->{spent};

    push @faults, "usage show says $usage, project show $spent"
        if $usage ne $spent;

    return @faults;
}


# The same for the whole store: what users and keys have spent too.
sub all_books ($t) {
    my (%sum, @faults);
    my @rows = rows($t);

    for my $row (@rows) {
        my $cost = AIGW::Check::nano($row->{cost});

        $sum{"$_ $row->{$_}"} += $cost for qw(user_id project_id);
    }

    for my $kind (qw(user project)) {
        for my $item (@{ $t->json($kind, 'list', '--limit', 1000)->{items} }) {
            my $want = $sum{"${kind}_id $item->{id}"} // 0;

            push @faults, "$kind $item->{name}: spent $item->{spent}, held"
                . " $item->{held}, rows $want nano"
                if AIGW::Check::nano($item->{spent}) != $want
                    || $item->{held} ne '0';
        }
    }

    push @faults, AIGW::Check::logs($t);

    return @faults;
}

1;
