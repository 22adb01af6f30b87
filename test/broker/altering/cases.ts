/** What brokers are asked about altering configs, one after the other, with two topics and nothing else there. */
import { type Case, Op, OTHER, PLAIN, type Step, Type } from '../../support/altering.ts'

const { topic, broker, logger, metrics, group } = Type
const { set, append, subtract } = Op
const remove = Op.delete

/** One edit of one resource, and what is described then. */
function edit(
  type: number,
  name: string,
  key: string,
  op: number,
  value: string | null,
  id: string,
  differs?: string,
): Case {
  const steps: Step[] = [{ edit: [[type, name, [[key, op, value]]]] }, { describe: [type, name, [key]] }]
  return differs === undefined ? { id, steps } : { id, steps, differs }
}

const THROTTLED = 'leader.replication.throttled.replicas'
const MOVES = 'replica.alter.log.dirs.io.max.bytes.per.second'
const LEADERS = 'leader.replication.throttled.rate'
const FOLLOWERS = 'follower.replication.throttled.rate'
const noPlugins = 'there are no plug-ins that could read it'
const thenStuck = 'Kafka takes it, and from then on no topic with configs can be created or altered'

export const cases: readonly Case[] = [
  edit(topic, PLAIN, 'retention.ms', set, '1000', 'topic: a value is set'),
  edit(topic, PLAIN, 'retention.ms', set, ' 02000 ', 'topic: a value with spaces and zeros is set'),
  edit(topic, PLAIN, 'retention.ms', remove, null, 'topic: a value is unset'),
  edit(topic, PLAIN, 'retention.ms', remove, 'x', 'topic: what is not set is unset, with a value'),
  edit(topic, PLAIN, 'no.such.key', set, '1', 'topic: an unknown key'),
  edit(topic, PLAIN, 'no.such.key', remove, null, 'topic: an unknown key is unset'),
  edit(topic, PLAIN, 'retention.ms', set, 'abc', 'topic: a word for a number'),
  edit(topic, PLAIN, 'retention.ms', set, '-2', 'topic: below the least'),
  edit(topic, PLAIN, 'segment.bytes', set, '1048575', 'topic: a segment that is too small'),
  edit(topic, PLAIN, 'max.message.bytes', set, '2147483648', 'topic: more than 32 bits'),
  edit(topic, PLAIN, 'retention.ms', set, '', 'topic: an empty text for a number'),
  edit(topic, PLAIN, 'compression.type', set, 'none', 'topic: none of the choices'),
  edit(topic, PLAIN, 'preallocate', set, 'yes', 'topic: no boolean'),
  edit(topic, PLAIN, 'retention.ms', set, null, 'topic: null is set'),
  edit(topic, PLAIN, 'cleanup.policy', append, null, 'topic: null is appended'),
  edit(topic, PLAIN, 'cleanup.policy', append, 'compact', 'topic: appended to the default of a list'),
  edit(topic, PLAIN, 'cleanup.policy', append, 'compact,delete', 'topic: appended what is there'),
  edit(topic, PLAIN, 'cleanup.policy', append, '', 'topic: nothing is appended'),
  edit(topic, PLAIN, 'cleanup.policy', append, ',', 'topic: only a comma is appended'),
  edit(topic, PLAIN, 'cleanup.policy', append, 'erase', 'topic: no choice is appended'),
  edit(topic, PLAIN, 'cleanup.policy', subtract, 'delete', 'topic: subtracted from a list'),
  edit(topic, PLAIN, 'cleanup.policy', subtract, 'delete', 'topic: subtracted what is not there'),
  edit(topic, PLAIN, 'cleanup.policy', subtract, 'compact', 'topic: the last one is subtracted'),
  edit(topic, PLAIN, 'cleanup.policy', remove, null, 'topic: a list is unset'),
  edit(topic, PLAIN, 'retention.ms', append, '1', 'topic: appended to a number'),
  edit(topic, PLAIN, 'retention.ms', subtract, '1', 'topic: subtracted from a number'),
  edit(topic, PLAIN, 'no.such.key', append, '1', 'topic: appended to an unknown key'),
  edit(topic, PLAIN, THROTTLED, set, '0:1,1:1', 'topic: replicas'),
  edit(topic, PLAIN, THROTTLED, append, '2:1', 'topic: one more replica'),
  edit(topic, PLAIN, THROTTLED, set, 'abc', 'topic: no replicas'),
  edit(topic, PLAIN, THROTTLED, remove, null, 'topic: replicas are unset'),
  edit(topic, PLAIN, 'min.compaction.lag.ms', set, '9223372036854775807', 'topic: the greatest number'),
  edit(topic, PLAIN, 'max.compaction.lag.ms', set, '1', 'topic: at odds with another key'),
  edit(topic, PLAIN, 'min.compaction.lag.ms', remove, null, 'topic: unset so that nothing is at odds'),
  edit(topic, PLAIN, 'remote.storage.enable', set, 'true', 'topic: tiered storage that is not there'),
  edit(topic, PLAIN, 'min.insync.replicas', set, '2', 'topic: min.insync.replicas'),
  edit(topic, PLAIN, 'min.insync.replicas', remove, null, 'topic: min.insync.replicas is unset'),
  edit(topic, 'absent', 'retention.ms', set, '1000', 'topic: one that does not exist'),
  edit(topic, 'absent', 'no.such.key', set, '1000', 'topic: one that does not exist, and an unknown key'),
  edit(topic, 'a b', 'retention.ms', set, '1000', 'topic: a name that no topic has'),
  edit(topic, '', 'retention.ms', set, '1000', 'topic: no name'),
  {
    id: 'topic: two good keys and a bad one',
    steps: [
      {
        edit: [
          [
            topic,
            PLAIN,
            [
              ['retention.ms', set, '5'],
              ['flush.ms', set, '-1'],
              ['segment.ms', set, '7'],
            ],
          ],
        ],
      },
      { describe: [topic, PLAIN, ['retention.ms', 'flush.ms', 'segment.ms']] },
    ],
  },
  {
    id: 'topic: one key twice',
    steps: [
      {
        edit: [
          [
            topic,
            PLAIN,
            [
              ['retention.ms', set, '5'],
              ['retention.ms', remove, null],
            ],
          ],
        ],
      },
      { describe: [topic, PLAIN, ['retention.ms']] },
    ],
  },
  {
    id: 'topic: one resource twice beside another',
    steps: [
      {
        edit: [
          [topic, PLAIN, [['retention.ms', set, '5']]],
          [topic, OTHER, [['retention.ms', set, '6']]],
          [topic, PLAIN, [['flush.ms', set, '7']]],
        ],
      },
      { describe: [topic, PLAIN, ['retention.ms', 'flush.ms']] },
      { describe: [topic, OTHER, ['retention.ms']] },
    ],
  },
  {
    id: 'topic: one good and one bad resource',
    steps: [
      {
        edit: [
          [topic, 'absent', [['retention.ms', set, '5']]],
          [topic, OTHER, [['flush.messages', set, '9']]],
        ],
      },
      { describe: [topic, OTHER, ['flush.messages']] },
    ],
  },
  {
    id: 'topic: only checked',
    steps: [
      { edit: [[topic, PLAIN, [['retention.ms', set, '44']]]], validateOnly: true },
      { edit: [[topic, PLAIN, [['retention.ms', set, 'x']]]], validateOnly: true },
      { describe: [topic, PLAIN, ['retention.ms']] },
    ],
  },
  { id: 'topic: no configs', steps: [{ edit: [[topic, PLAIN, []]] }, { edit: [[topic, 'absent', []]] }] },
  { id: 'no resources', steps: [{ edit: [] }, { replace: [] }] },
  {
    id: 'topic: a value grows too long',
    steps: [
      { edit: [[topic, PLAIN, [[THROTTLED, set, `${'0:1,'.repeat(8191)}0:1`]]]] },
      { edit: [[topic, PLAIN, [[THROTTLED, append, '2:1']]]] },
    ],
  },
  {
    id: 'topic: all are replaced',
    steps: [
      {
        replace: [
          [
            topic,
            PLAIN,
            [
              ['retention.ms', '11'],
              ['flush.ms', '12'],
            ],
          ],
        ],
      },
      { replace: [[topic, PLAIN, [['flush.ms', '13']]]] },
      { describe: [topic, PLAIN, ['retention.ms', 'flush.ms']] },
      { replace: [[topic, PLAIN, [['flush.ms', null]]]] },
      { replace: [[topic, PLAIN, [['flush.ms', 'x']]]] },
      { replace: [[topic, PLAIN, [['no.such.key', 'x']]]] },
      { replace: [[topic, 'absent', [['flush.ms', '1']]]] },
      { replace: [[topic, PLAIN, []]], validateOnly: true },
      { describe: [topic, PLAIN, ['retention.ms', 'flush.ms']] },
      { replace: [[topic, PLAIN, []]] },
      { describe: [topic, PLAIN, ['retention.ms', 'flush.ms']] },
    ],
  },

  edit(broker, '', 'log.retention.ms', set, '3600000', 'all brokers: a default of topics is set'),
  { id: 'all brokers: topics inherit it', steps: [{ describe: [topic, PLAIN, ['retention.ms']] }] },
  edit(broker, '1', 'log.retention.ms', set, '7200000', 'this broker: a default of topics is set'),
  { id: 'this broker: topics inherit it', steps: [{ describe: [topic, PLAIN, ['retention.ms']] }] },
  edit(broker, '1', 'log.retention.ms', remove, null, 'this broker: it is unset'),
  edit(broker, '', 'log.retention.ms', remove, null, 'all brokers: it is unset'),
  edit(broker, '', 'log.cleanup.policy', append, 'compact', 'all brokers: appended to the default of a list'),
  edit(broker, '', 'log.cleanup.policy', subtract, 'delete', 'all brokers: subtracted from a list'),
  edit(broker, '', 'log.cleanup.policy', remove, null, 'all brokers: a list is unset'),
  edit(broker, '', 'message.max.bytes', append, '1', 'all brokers: appended to a number'),
  edit(broker, '', 'no.such.key', append, '1', 'all brokers: appended to an unknown key'),
  edit(broker, '', 'message.max.bytes', set, 'abc', 'all brokers: a word for a number'),
  edit(broker, '1', 'log.segment.bytes', set, '5', 'this broker: below the least'),
  edit(broker, '1', 'log.roll.ms', set, '0', 'this broker: below the least, though the type allows it'),
  edit(broker, '', 'log.cleaner.min.compaction.lag.ms', set, '9223372036854775807', 'all brokers: the greatest number'),
  edit(broker, '', 'log.cleaner.max.compaction.lag.ms', set, '1', 'all brokers: at odds with another key', thenStuck),
  edit(broker, '', 'log.cleaner.min.compaction.lag.ms', remove, null, 'all brokers: unset so that nothing is at odds'),
  edit(broker, '', 'log.local.retention.ms', set, '-1', 'all brokers: local retention without an end'),
  edit(broker, '1', 'node.id', set, '2', 'this broker: a read-only key'),
  edit(broker, '', 'log.retention.hours', set, '2', 'all brokers: a read-only key that means the same as another'),
  edit(broker, '1', 'node.id', remove, null, 'this broker: a read-only key is unset'),
  edit(broker, '1', 'message.max.bytes', set, null, 'this broker: null is set'),
  edit(broker, '2', 'message.max.bytes', set, '1', 'another broker'),
  edit(broker, 'x', 'message.max.bytes', set, '1', 'a broker that is no number'),
  edit(broker, '-1', 'message.max.bytes', set, '1', 'a broker with a negative number'),
  edit(broker, '1', 'min.insync.replicas', set, '1', 'this broker: min.insync.replicas'),
  edit(broker, '', 'min.insync.replicas', set, '1', 'all brokers: min.insync.replicas'),
  edit(broker, '', 'min.insync.replicas', remove, null, 'all brokers: min.insync.replicas is unset'),
  edit(broker, '', 'group.consumer.assignment.interval.ms', set, '2000', 'all brokers: the assignment interval'),
  edit(broker, '', 'group.consumer.assignment.interval.ms', set, '20000', 'all brokers: one that is too long'),
  edit(
    broker,
    '',
    'group.consumer.assignment.interval.ms',
    remove,
    null,
    'all brokers: the assignment interval is unset',
  ),
  edit(broker, '', 'log.cleaner.threads', set, '2', 'all brokers: threads of the cleaner'),
  edit(broker, '', 'log.cleaner.threads', remove, null, 'all brokers: threads of the cleaner are unset'),
  edit(broker, '', 'no.such.key', set, '1', 'all brokers: an unknown key', noPlugins),
  edit(broker, '', 'no.such.key', remove, null, 'all brokers: an unknown key is unset'),
  {
    id: 'this broker: all are replaced',
    steps: [
      {
        replace: [
          [
            broker,
            '1',
            [
              ['message.max.bytes', '2000000'],
              ['log.roll.ms', '99999'],
            ],
          ],
        ],
      },
      { replace: [[broker, '1', [['message.max.bytes', '2000001']]]] },
      { describe: [broker, '1', ['message.max.bytes', 'log.roll.ms']] },
      { replace: [[broker, '1', [['node.id', '1']]]] },
      { replace: [[broker, '2', [['message.max.bytes', '1']]]] },
      { replace: [[broker, '1', []]] },
      { describe: [broker, '1', ['message.max.bytes', 'log.roll.ms']] },
    ],
  },
  { id: 'all brokers: replaced by nothing', steps: [{ replace: [[broker, '', []]] }] },
  edit(broker, '1', MOVES, set, '1000', 'this broker: the throttle of moves between directories'),
  edit(broker, '1', MOVES, set, '-1', 'this broker: a negative throttle'),
  edit(broker, '1', MOVES, set, '1.5', 'this broker: half a byte of throttle'),
  edit(broker, '1', MOVES, set, '0', 'this broker: a throttle of nothing'),
  edit(broker, '1', MOVES, append, '1', 'this broker: appended to the throttle'),
  edit(broker, '1', MOVES, remove, null, 'this broker: the throttle is unset'),
  edit(broker, '1', MOVES, remove, null, 'this broker: the throttle is unset again'),
  edit(broker, '', MOVES, set, '2000', 'all brokers: the throttle of moves between directories'),
  { id: 'this broker: the throttle that is set for all', steps: [{ describe: [broker, '1', [MOVES]] }] },
  edit(broker, '', MOVES, remove, null, 'all brokers: the throttle is unset'),
  edit(broker, '1', LEADERS, set, '1000', 'this broker: the throttle of its leaders'),
  edit(broker, '1', LEADERS, set, '-1', 'this broker: a negative throttle of its leaders'),
  edit(broker, '1', LEADERS, remove, null, 'this broker: the throttle of its leaders is unset'),
  edit(broker, '1', FOLLOWERS, set, '1000', 'this broker: the throttle of its followers'),
  edit(broker, '1', FOLLOWERS, remove, null, 'this broker: the throttle of its followers is unset'),
  ...(
    [
      ['1', 'listener.name.plaintext.ssl.keystore.type'],
      ['1', 'listener.name.plaintext.max.connections'],
      ['1', 'listener.name.plaintext.max.connection.creation.rate'],
      ['1', 'listener.name.plaintext.message.max.bytes'],
      ['1', 'listener.name.plaintext.node.id'],
      ['1', 'listener.name.plaintext.no.such.key'],
      ['1', 'listener.name.plaintext', noPlugins],
      ['1', 'listener.name.nobody.ssl.keystore.type'],
      ['1', 'listener.name.nobody.max.connections'],
      ['1', 'listener.name..max.connections'],
      ['1', 'listener.name.plaintext.plain.sasl.jaas.config'],
      ['', 'listener.name.plaintext.ssl.keystore.type'],
      ['', 'listener.name.plaintext.max.connections'],
      ['', 'listener.name.plaintext.max.connection.creation.rate'],
      ['', 'listener.name.plaintext.message.max.bytes'],
      ['', 'listener.name.plaintext.node.id'],
      ['', 'listener.name.plaintext.no.such.key'],
      ['', 'listener.name.plaintext', noPlugins],
      ['', 'listener.name.nobody.ssl.keystore.type'],
      ['', 'listener.name.nobody.max.connections'],
      ['', 'listener.name..max.connections'],
      ['', 'listener.name.plaintext.plain.sasl.jaas.config'],
    ] as const
  ).flatMap(([name, key, differs]) => {
    const whose = `${name === '' ? 'all brokers' : 'this broker'}: ${key}`
    return [
      edit(broker, name, key, set, '7', whose, differs),
      edit(broker, name, key, remove, null, `${whose} is unset`),
    ]
  }),

  edit(group, 'g', 'consumer.session.timeout.ms', set, '50000', 'group: a value is set'),
  edit(group, 'g', 'consumer.heartbeat.interval.ms', set, '6000', 'group: a second one'),
  edit(group, 'g', 'consumer.session.timeout.ms', set, '44999', 'group: below the bound'),
  edit(group, 'g', 'consumer.session.timeout.ms', set, '60001', 'group: above the bound'),
  edit(group, 'g', 'consumer.heartbeat.interval.ms', set, '4999', 'group: a heartbeat below the bound'),
  edit(group, 'g', 'consumer.heartbeat.interval.ms', set, '15001', 'group: a heartbeat above the bound'),
  edit(group, 'g', 'consumer.assignment.interval.ms', set, '15000', 'group: an assignment interval at the bound'),
  edit(group, 'g', 'consumer.assignment.interval.ms', set, '15001', 'group: an assignment interval above the bound'),
  edit(group, 'g', 'consumer.session.timeout.ms', set, 'abc', 'group: a word for a number'),
  edit(group, 'g', 'no.such.key', set, '1', 'group: an unknown key'),
  edit(group, 'g', 'consumer.session.timeout.ms', append, '1', 'group: appended to a number'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'earliest', 'group: where to start'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'Earliest', 'group: where to start, with a capital'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'by_duration:PT1H', 'group: where to start, by duration'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'by_duration:P1DT1.5S', 'group: a duration with a fraction'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'by_duration:pt5m', 'group: a duration in small letters'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'BY_DURATION:PT1H', 'group: by duration in capitals'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'by_duration:-PT1H', 'group: a negative duration'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'by_duration:P', 'group: an empty duration'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'by_duration:PT', 'group: an empty time'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'by_duration:1h', 'group: no duration'),
  edit(group, 'g', 'share.auto.offset.reset', set, 'none', 'group: nowhere to start'),
  edit(group, 'g', 'share.record.lock.duration.ms', set, '14999', 'group: a lock that is too short'),
  edit(group, 'g', 'share.delivery.count.limit', set, '11', 'group: too many deliveries'),
  edit(group, 'g', 'share.partition.max.record.locks', set, '4001', 'group: too many locks'),
  edit(group, 'g', 'share.isolation.level', set, 'read_committed', 'group: an isolation level'),
  edit(group, 'g', 'streams.num.standby.replicas', set, '3', 'group: too many standby tasks'),
  edit(group, 'g', 'streams.num.standby.replicas', set, '2', 'group: standby tasks'),
  edit(group, '', 'consumer.session.timeout.ms', set, '50000', 'group: no name'),
  { id: 'group: all of it', steps: [{ describe: [group, 'g', []] }] },
  { id: 'group: replaced', steps: [{ replace: [[group, 'g', [['streams.num.standby.replicas', '1']]]] }] },

  edit(metrics, 'm', 'interval.ms', set, '100', 'client metrics: an interval'),
  edit(metrics, 'm', 'interval.ms', set, '99', 'client metrics: an interval that is too short'),
  edit(metrics, 'm', 'interval.ms', set, 'abc', 'client metrics: a word for a number'),
  edit(metrics, 'm', 'metrics', set, 'a.,b.', 'client metrics: beginnings'),
  edit(metrics, 'm', 'metrics', append, 'c.', 'client metrics: appended'),
  edit(metrics, 'm', 'match', set, 'client_id=x.*,client_software_name=Java', 'client metrics: patterns'),
  edit(metrics, 'm', 'match', set, 'client_id', 'client metrics: no pattern'),
  edit(metrics, 'm', 'match', set, 'nobody=x', 'client metrics: a pattern of something unknown'),
  edit(metrics, 'm', 'match', set, 'client_id=(', 'client metrics: a pattern that is none'),
  edit(metrics, 'm', 'no.such.key', set, '1', 'client metrics: an unknown key'),
  edit(metrics, '', 'interval.ms', set, '100', 'client metrics: no name'),
  { id: 'client metrics: all of it', steps: [{ describe: [metrics, 'm', []] }] },

  edit(logger, '1', 'no.such.logger', set, 'DEBUG', 'loggers: an unknown one'),
  edit(logger, '1', 'no.such.logger', remove, null, 'loggers: an unknown one is unset'),
  edit(logger, '1', 'no.such.logger', append, 'DEBUG', 'loggers: appended'),
  { id: 'loggers: of another broker', steps: [{ edit: [[logger, '2', [['x', set, 'INFO']]]] }] },
  { id: 'loggers: replaced', steps: [{ replace: [[logger, '1', [['x', 'INFO']]]] }] },
  { id: 'an unknown type', steps: [{ edit: [[3, 'x', [['x', set, '1']]]] }, { replace: [[0, 'x', [['x', '1']]]] }] },

  {
    id: 'listed',
    steps: [
      { list: [] },
      { list: [group] },
      { list: [metrics, topic] },
      { list: [logger, broker] },
      { list: [3] },
      { list: [topic, 0] },
    ],
  },
  { id: 'group: unset', steps: [{ replace: [[group, 'g', []]] }, { replace: [[metrics, 'm', []]] }, { list: [] }] },
]
