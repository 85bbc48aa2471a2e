# The exchange of peer.py in Perl, with calls that wait: peer.pl HOST PORT.
use strict;
use warnings;
use IO::Socket::INET;

my ($host, $port) = @ARGV;
my $connection = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Proto => 'tcp') or die "fails to connect\n";
my $question = "a small question\n";
my $heard = '17 1ac189a239dfe8ae8e006d494f1f4538';
print $connection $question;
$connection->flush;
shutdown($connection, 1);
my $got = '';
while (1) {
    my $count = sysread($connection, my $piece, 65536);
    if (!defined $count) {
        print "fails: ", 0 + $!, "\n";
        exit 1;
    }
    last if !$count;
    $got .= $piece;
}
my ($line, $rest) = split /\n/, $got, 2;
print $line eq $heard ? 'heard' : $line, ' answer ', length $rest, "\n";
