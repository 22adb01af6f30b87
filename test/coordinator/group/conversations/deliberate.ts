/** Where we mean to answer otherwise than Apache Kafka: by conversation, in which answer, what stands there instead. */

interface Difference {
  readonly at: number
  readonly kafkas: string
  readonly ours: string
}

export const deliberate: Readonly<Record<string, readonly Difference[]>> = {
  // A group that becomes classic is described, before its members have joined it, with what they own. Apache Kafka
  // shows what they were to own, which another member may have still.
  'm-downgrade': [
    {
      at: 6,
      kafkas: '0x00030000000100116d2d646f776e67726164652e746f7069630000000100000001ffffffff',
      ours: '0x000300000000ffffffff',
    },
  ],
}
