#!/usr/bin/perl

# log tail: calls as they are settled, whatever their age, until ^C; and tags.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib $FindBin::Bin;
use Cli;

new_store();

my $p = json('project', 'create', 'demo')->{project};
my $k = json('key', 'show', 'default');
my $other = json('project', 'create', 'other')->{project};
my $now = time() * 1000;

# time, model, cost, tag; of the first project, or another
sub row {
    my ($ms, $model, $cost, $tag, $project) = @_;

    return [$now + $ms, 1, $project // $p->{id}, $k->{id}, $model, 200, 0, 1,
        1, 0, 3, 4, $cost, $tag // ()];
}

seed('ledger', map { row(-$_ * 1000, "m$_", 1000, 'old') } reverse 1 .. 14);

# Starts a tail; returns what reads its next line, undef after five seconds,
# and what ends it with a signal and returns the exit code.
sub tail {
    my $pid = open(my $out, '-|', 'aigw', 'log', 'tail', @_) // die $!;
    my $buffer = '';

    my $next = sub {
        my $end = time() + 5;

        while (index($buffer, "\n") < 0) {
            my $set = '';

            vec($set, fileno($out), 1) = 1;
            return undef if !select $set, undef, undef, $end - time();
            sysread $out, $buffer, 4096, length $buffer or return undef;
        }

        $buffer =~ s/\A(.*)\n//;
        return $1;
    };

    my $end = sub {
        kill $_[0], $pid;
        waitpid $pid, 0;
        return $? & 127 ? 128 + ($? & 127) : $? >> 8;
    };

    return ($next, $end);
}

sub model { return defined $_[0]
    ? JSON::PP->new->utf8->decode($_[0])->{model} : '(nothing)' }

my ($next, $end) = tail('--json');

is_deeply([map { model($next->()) } 1 .. 10], [map { "m$_" } reverse 1 .. 10],
    'begins with the last ten, the newest last');
seed('ledger', row(5000, 'new', 1));
is(model($next->()), 'new', 'a new one');
seed('ledger', row(-900_000, 'long', 1));
is(model($next->()), 'long', 'one that began long ago, and ends now');
is($end->('INT'), 130, '^C is exit 130');

($next, $end) = tail('--json', '--limit', '2', '--project', 'other');
seed('ledger', row(6000, 'mine', 1), row(6001, 'theirs', 1, 't', $other->{id}));
is(model($next->()), 'theirs', 'filtered');
$end->('INT');

($next, $end) = tail('--tag', 't', '--columns', 'model,tag', '--limit', '100');
like($next->(), qr/^MODEL +TAG$/, 'a table has its headings');
like($next->(), qr/^theirs +t$/, '... and lines');
seed('ledger', row(6500, 'x', 1, 't'));
like($next->(), qr/^x {5,}t *$/, '... which go on below them');
$end->('INT');

($next, $end) = tail('-o', 'csv', '--columns', 'model,cost', '--limit', '1');
is($next->(), "model,cost\r", 'CSV has its headings');
is($next->(), "x,0.000000001\r", '... and lines');
$end->('INT');

fails(3, 'log', 'tail', '--project', 'nosuch');
fails(2, 'log', 'tail', '--limit', '0');
like(fails(2, 'log', 'tail', '--since', '1h')->{message}, qr/--since/,
    'there is no --since');

# --- tags ---

my %sum = map { $_->{group} // '' => $_->{calls} }
    @{ json('usage', 'show', '--by', 'tag')->{items} };

is_deeply(\%sum, { old => 14, t => 2, '' => 3 }, 'usage by tag');
is(json('usage', 'show', '--tag', 't')->{calls}, 2, 'usage of a tag');
is(json('usage', 'show', '--tag', 't', '--project', 'demo')->{calls}, 1,
    '... in a project');
is(json('usage', 'show', '--tag', 'nosuch')->{calls}, 0, '... of none');
is_deeply([map { "$_->{group} $_->{calls}" }
    @{ json('usage', 'show', '--tag', 't', '--by', 'project')->{items} }],
    ['demo 1', 'other 1'], '... by project');
is_deeply([map { $_->{model} }
    @{ json('log', 'list', '--tag', 't')->{items} }], ['x', 'theirs'],
    'calls with a tag');
is(json('log', 'list', '--tag', 'old', '--limit', '1')->{items}[0]{tag},
    'old', 'a row shows its tag');

done_testing();
