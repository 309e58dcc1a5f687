# Tokens as `aigw serve` makes them, and others: the secret is derived from the
# key file of the test's store, as serve_jwt.c does it.
#
#   my $j = AIGW::Jwt->new("$t->{dir}/store");
#   my $claims = $j->claims($token);
#   my $other = $j->token({ %$claims, exp => 1 });

package AIGW::Jwt;

use v5.36;

use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);

use AIGW;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my %mac = (256 => \&hmac_sha256, 384 => \&hmac_sha384, 512 => \&hmac_sha512);

our $head = '{"alg":"HS256","typ":"JWT"}';


sub new ($class, $store) {
    my ($hex) = AIGW::slurp("$store/key") =~ /\A([0-9a-f]{64})\n?\z/
        or die "no master key in $store\n";

    return bless {
        secret => hmac_sha256('aigw admin token 1', pack 'H*', $hex),
    }, $class;
}


sub secret ($self) { return $self->{secret} }


# What a token says, unchecked.
sub claims ($self, $token) {
    return $json->decode(decode_base64url((split /\./, $token)[1]));
}


# Three parts of text, signed. claims: a hash, or bytes. More: head (bytes),
# secret, bits (256).
sub token ($self, $claims, %more) {
    my $body = ref $claims ? $json->encode($claims) : $claims;
    my $text = encode_base64url($more{head} // $head) . '.'
        . encode_base64url($body);

    return "$text." . $self->mac($text, %more);
}


# The signature of a text.
sub mac ($self, $text, %more) {
    return encode_base64url($mac{ $more{bits} // 256 }->($text,
        $more{secret} // $self->{secret}));
}

1;
