# Documents that cannot lie: what README.md, docs/ARCHITECTURE.md and
# nginx.conf.example name is there, and what must be named is named.

use v5.36;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use AIGW;

my $root = $AIGW::root;


sub text ($path) {
    my $text = AIGW::slurp("$root/$path");

    die "no $path\n" if !length $text;

    return $text;
}


# Names in `all` that are missing in a text.
sub missing ($text, @all) {
    return grep { $text !~ /(?<![\w-])\Q$_\E(?!\w)/ } @all;
}


my %doc = map { $_ => text($_) }
    qw(README.md docs/ARCHITECTURE.md nginx.conf.example CHANGES Makefile);

# the example is what it includes, too
$doc{'nginx.conf.example'} .= text($_)
    for 'docs/aigw-http.conf', 'docs/aigw-server.conf';

my $module = 'ngx_ai_gateway_module/ngx_ai_gateway';
my @directives = text("${module}_module.c")
    =~ /\{ ngx_string\("(ai_gateway\w*)"\)/g;
my @variables = text("${module}_vars.c") =~ /ngx_string\("(ai_gateway_\w+)"\)/g;

cmp_ok(@directives, '>=', 4, 'directives were found');
cmp_ok(@variables, '>=', 7, 'variables were found');

for my $name ('README.md', 'nginx.conf.example') {
    is_deeply([missing($doc{$name}, @directives)], [], "$name: directives");
    is_deeply([missing($doc{$name}, map { "\$$_" } @variables)], [],
        "$name: variables");
}

# all that begins with our prefix, the other way round
for my $name (sort keys %doc) {
    my %known = map { $_ => 1 } @directives, @variables,
        qw(ai_gateway_module ai_gateway_);
    my @named = $doc{$name} =~ /(?<!ngx_)\b(ai_gateway\w*)/g;

    is_deeply([grep { !$known{$_} } @named], [], "$name: none that is not");
}


# --- files ---

my @files = map { s{^\Q$root\E/}{}r }
    map { glob "$root/$_/*" } qw(shared ngx_ai_gateway_module admin_cli
        admin_cli/serve
        scripts docs t t/lib t/serve t/sim t/unit);

for my $name ('README.md', 'docs/ARCHITECTURE.md') {
    my %named = map { $_ => 1 }
        $doc{$name} =~ m{(?<!<)\b((?:[\w.-]+/)*[\w.*-]+\.(?:c|h|t|sh|pm))\b}g;
    my @lost;

    for my $file (sort keys %named) {
        my $short = $file =~ s/\*/\\w*/gr;

        push @lost, $file if !grep { m{(?:^|/|_)$short$} } @files;
    }

    is_deeply(\@lost, [], "$name: the files that it names are there");
}

my @sources = grep { m{^ngx_ai_gateway_module/.*\.c$} } @files;
my @unnamed = grep {
    my $short = s{.*/(?:ngx_ai_gateway_)?}{}r;
    $doc{'docs/ARCHITECTURE.md'} !~ /\Q$short\E/;
} @sources;

is_deeply(\@unnamed, [], 'ARCHITECTURE.md names every file of the module');


# --- commands ---

my %targets = map { $_ => 1 } $doc{Makefile} =~ /^([a-z]+):.*## /mg;
my @used = map { /`?(?:sudo )?make ([a-z]+)/g } @doc{'README.md', 'CHANGES'};

is_deeply([grep { !$targets{$_} } @used], [], 'targets of make');

for my $name ('README.md', 'nginx.conf.example') {
    my %commands = map { $_ => 1 }
        $doc{$name} =~ /(?:\baigw|\$AIGW_CLI) (?:help )?([a-z]+ [a-z]+)\b/g;

    for my $command (sort keys %commands) {
        my $p = AIGW::Process->start(
            ["$AIGW::build/aigw", 'help', split / /, $command]);
        my $out = $p->output;

        is($p->wait, 0, "$name: aigw $command") or diag($out);
    }
}


# --- the origin's API ---

{
    my $origin = text('docs/ORIGIN.md');
    my $code = join '', map { text("admin_cli/serve/serve_$_.c") }
        qw(origin origin_login);
    my @routes = text('admin_cli/serve/serve_routes.c')
        =~ /ORIGIN\("([A-Z]+", "\/[^"]+)"/g;
    my %field = map { $_ => 1 } $code =~ /\b(?:copy(?:_amount)?|add_date
        |cli_add_text|serve_origin_(?:text|amount|count|models|fault)
        |take_date)\((?:\w+|&in),\s+"(\w+)"/gx;

    cmp_ok(scalar @routes, '>=', 6, 'routes of the origin were found');
    cmp_ok(scalar keys %field, '>=', 20, 'and fields');
    is_deeply([grep { index($origin, "`$_`") < 0 } map { s/", "/ /r } @routes],
        [], 'docs/ORIGIN.md: routes');
    is_deeply([grep { $origin !~ /`(?:data\.)?\Q$_\E`|"\Q$_\E"/ }
        sort keys %field], [], 'docs/ORIGIN.md: fields');
    like($doc{'README.md'}, qr{\(docs/ORIGIN\.md\)}, 'README.md leads there');
}

done_testing();
