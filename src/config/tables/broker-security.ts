/**
 * Broker configs of authentication, authorization and TLS. Data only, in the notation of `../definition.ts`;
 * read by `../table.ts` alone.
 *
 * name | type | default | allowed | importance | updated | state | documentation
 */
export const brokerSecurityConfigs = `
authorizer.class.name | STRING |  |  | low | read-only | stored | Class that decides who may do what; empty lets everyone do everything.
delegation.token.expiry.check.interval.ms | LONG | 3600000 | >=1 | low | read-only | stored | How often expired delegation tokens are removed, in milliseconds.
delegation.token.expiry.time.ms | LONG | 86400000 | >=1 | medium | read-only | stored | How long a delegation token is valid unless it is renewed, in milliseconds.
delegation.token.max.lifetime.ms | LONG | 604800000 | >=1 | medium | read-only | stored | Age beyond which a delegation token cannot be renewed, in milliseconds.
delegation.token.secret.key | PASSWORD | null |  | medium | read-only | stored | Secret with which delegation tokens are made; the same on all brokers.
principal.builder.class | CLASS | org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder |  | medium | per-broker | stored | Java class that says who a connection belongs to.
sasl.client.callback.handler.class | CLASS | null |  | medium | read-only | stored | Java class that answers the questions of a SASL client mechanism.
sasl.enabled.mechanisms | LIST | GSSAPI | list | medium | per-broker | stored | SASL mechanisms that are offered.
sasl.jaas.config | PASSWORD | null |  | medium | per-broker | stored | Login settings of a SASL mechanism, in the JAAS notation.
sasl.kerberos.kinit.cmd | STRING | /usr/bin/kinit |  | medium | per-broker | stored | Path of the kinit command.
sasl.kerberos.min.time.before.relogin | LONG | 60000 |  | medium | per-broker | stored | Least time between two Kerberos log-ins, in milliseconds.
sasl.kerberos.principal.to.local.rules | LIST | DEFAULT | list | medium | per-broker | stored | Rules that shorten a Kerberos principal to a name; the first that fits counts.
sasl.kerberos.service.name | STRING | null |  | medium | per-broker | stored | Kerberos name that the brokers run under.
sasl.kerberos.ticket.renew.jitter | DOUBLE | 0.05 |  | medium | per-broker | stored | Share by which the time of ticket renewal is varied at random.
sasl.kerberos.ticket.renew.window.factor | DOUBLE | 0.8 |  | medium | per-broker | stored | Share of a ticket's life after which it is renewed.
sasl.login.callback.handler.class | CLASS | null |  | medium | read-only | stored | Java class that answers the questions of a SASL log-in.
sasl.login.class | CLASS | null |  | medium | read-only | stored | Java class that logs in.
sasl.login.connect.timeout.ms | INT | null |  | low | read-only | stored | Longest wait for a connection to the identity provider, in milliseconds.
sasl.login.read.timeout.ms | INT | null |  | low | read-only | stored | Longest wait for an answer of the identity provider, in milliseconds.
sasl.login.refresh.buffer.seconds | SHORT | 300 |  | medium | per-broker | stored | Time before its expiry that is kept free when a credential is refreshed, in seconds.
sasl.login.refresh.min.period.seconds | SHORT | 60 |  | medium | per-broker | stored | Least time that a credential is used before it is refreshed, in seconds.
sasl.login.refresh.window.factor | DOUBLE | 0.8 |  | medium | per-broker | stored | Share of a credential's life after which it is refreshed.
sasl.login.refresh.window.jitter | DOUBLE | 0.05 |  | medium | per-broker | stored | Share by which the time of refresh is varied at random.
sasl.login.retry.backoff.max.ms | LONG | 10000 |  | low | read-only | stored | Longest pause before a log-in is tried again, in milliseconds.
sasl.login.retry.backoff.ms | LONG | 100 |  | low | read-only | stored | First pause before a log-in is tried again, in milliseconds.
sasl.mechanism.controller.protocol | STRING | GSSAPI |  | high | read-only | stored | SASL mechanism towards the controllers.
sasl.mechanism.inter.broker.protocol | STRING | GSSAPI |  | medium | per-broker | stored | SASL mechanism between brokers.
sasl.oauthbearer.assertion.algorithm | STRING | RS256 | ES256/RS256 any case | medium | read-only | stored | Signature algorithm of a client assertion.
sasl.oauthbearer.assertion.claim.aud | STRING | null |  | medium | read-only | stored | Audience that a client assertion names.
sasl.oauthbearer.assertion.claim.exp.seconds | INT | 300 | 0..86400 | low | read-only | stored | How long a client assertion is valid, in seconds.
sasl.oauthbearer.assertion.claim.iss | STRING | null |  | medium | read-only | stored | Issuer that a client assertion names.
sasl.oauthbearer.assertion.claim.jti.include | BOOLEAN | false |  | medium | read-only | stored | Whether a client assertion carries an id of its own.
sasl.oauthbearer.assertion.claim.nbf.seconds | INT | 60 | 0..3600 | low | read-only | stored | How far back a client assertion's start is dated, in seconds.
sasl.oauthbearer.assertion.claim.sub | STRING | null |  | medium | read-only | stored | Subject that a client assertion names.
sasl.oauthbearer.assertion.file | STRING | null |  | medium | read-only | stored | File that holds a ready client assertion.
sasl.oauthbearer.assertion.private.key.file | STRING | null |  | medium | read-only | stored | File that holds the key with which client assertions are signed.
sasl.oauthbearer.assertion.private.key.passphrase | PASSWORD | null |  | medium | read-only | stored | Passphrase of that key.
sasl.oauthbearer.assertion.template.file | STRING | null |  | medium | read-only | stored | File with further claims of a client assertion.
sasl.oauthbearer.client.credentials.client.id | STRING | null |  | medium | read-only | stored | Client id for the identity provider.
sasl.oauthbearer.client.credentials.client.secret | PASSWORD | null |  | medium | read-only | stored | Client secret for the identity provider.
sasl.oauthbearer.clock.skew.seconds | INT | 30 |  | low | read-only | stored | Difference of clocks that is forgiven when a token is checked, in seconds.
sasl.oauthbearer.expected.audience | LIST |  | list | high | read-only | stored | Audiences of which a token must name one.
sasl.oauthbearer.expected.issuer | STRING | null |  | high | read-only | stored | Issuer that a token must name.
sasl.oauthbearer.jwks.endpoint.refresh.ms | LONG | 3600000 |  | low | read-only | stored | How often the identity provider's keys are fetched anew, in milliseconds.
sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms | LONG | 10000 |  | low | read-only | stored | Longest pause before fetching those keys is tried again, in milliseconds.
sasl.oauthbearer.jwks.endpoint.retry.backoff.ms | LONG | 100 |  | low | read-only | stored | First pause before fetching those keys is tried again, in milliseconds.
sasl.oauthbearer.jwks.endpoint.url | STRING | null |  | medium | read-only | stored | Where the identity provider's keys are found.
sasl.oauthbearer.jwt.retriever.class | CLASS | org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever |  | medium | read-only | stored | Java class that gets tokens.
sasl.oauthbearer.jwt.validator.class | CLASS | org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator |  | medium | read-only | stored | Java class that checks tokens.
sasl.oauthbearer.scope | STRING | null |  | medium | read-only | stored | Scope that a token is asked for with.
sasl.oauthbearer.scope.claim.name | STRING | scope |  | low | read-only | stored | Claim of a token that holds its scope.
sasl.oauthbearer.sub.claim.name | STRING | sub |  | low | read-only | stored | Claim of a token that holds its subject.
sasl.oauthbearer.token.endpoint.url | STRING | null |  | medium | read-only | stored | Where tokens are asked for.
sasl.server.callback.handler.class | CLASS | null |  | medium | read-only | stored | Java class that answers the questions of a SASL server mechanism.
sasl.server.max.receive.size | INT | 524288 |  | medium | read-only | stored | Largest message of a client before it has authenticated, in bytes.
security.providers | STRING | null |  | low | read-only | stored | Java classes that provide security algorithms.
ssl.allow.dn.changes | BOOLEAN | false |  | low | read-only | stored | Whether a new certificate may name another subject than the one it replaces.
ssl.allow.san.changes | BOOLEAN | false |  | low | read-only | stored | Whether a new certificate may name other hosts than the one it replaces.
ssl.cipher.suites | LIST |  | list | medium | per-broker | stored | Cipher suites that are allowed; empty for the runtime's own.
ssl.client.auth | STRING | none | required/requested/none | medium | per-broker | stored | Whether clients must, may or need not show a certificate.
ssl.enabled.protocols | LIST | TLSv1.2,TLSv1.3 | list | medium | per-broker | stored | TLS versions that are allowed.
ssl.endpoint.identification.algorithm | STRING | https |  | low | per-broker | stored | How a server's name is checked against its certificate; empty for not at all.
ssl.engine.factory.class | CLASS | null |  | low | per-broker | stored | Java class that makes TLS engines.
ssl.key.password | PASSWORD | null |  | medium | per-broker | stored | Password of the private key.
ssl.keymanager.algorithm | STRING | SunX509 |  | medium | per-broker | stored | Algorithm of Java's key manager.
ssl.keystore.certificate.chain | PASSWORD | null |  | medium | per-broker | stored | Certificate chain, in PEM.
ssl.keystore.key | PASSWORD | null |  | medium | per-broker | stored | Private key, in PEM.
ssl.keystore.location | STRING | null |  | medium | per-broker | stored | File that holds key and certificate.
ssl.keystore.password | PASSWORD | null |  | medium | per-broker | stored | Password of that file.
ssl.keystore.type | STRING | JKS |  | medium | per-broker | stored | Format of that file.
ssl.principal.mapping.rules | STRING | DEFAULT |  | low | read-only | stored | Rules that shorten a certificate's subject to a name; the first that fits counts.
ssl.protocol | STRING | TLSv1.3 |  | medium | per-broker | stored | TLS version that is preferred.
ssl.provider | STRING | null |  | medium | per-broker | stored | Java provider of TLS.
ssl.secure.random.implementation | STRING | null |  | low | per-broker | stored | Java's source of random numbers for TLS.
ssl.trustmanager.algorithm | STRING | PKIX |  | medium | per-broker | stored | Algorithm of Java's trust manager.
ssl.truststore.certificates | PASSWORD | null |  | medium | per-broker | stored | Certificates that are trusted, in PEM.
ssl.truststore.location | STRING | null |  | medium | per-broker | stored | File that holds the certificates that are trusted.
ssl.truststore.password | PASSWORD | null |  | medium | per-broker | stored | Password of the trusted certificates' file.
ssl.truststore.type | STRING | JKS |  | medium | per-broker | stored | Format of the trusted certificates' file.
`
