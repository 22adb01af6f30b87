/**
 * Runs cases against both brokers, interleaved, and keeps the figures.
 *
 * Invariants: each round measures the peers one after the other in alternating order (A B, B A, …) on a topic of
 * its own; a case without a row of both peers fails the run, and so does one that Odradek could not do. Rows are on
 * disk as soon as they are there. Figures are per mode: page cache (Odradek `flush=os`, Kafka's default) or fsync
 * before the answer (Odradek `flush=group`, Kafka `flush.messages=1`), each mode with brokers of its own.
 */
import { type RunningBroker, startKafka, startOdradek } from './peers.ts'
import { Report } from './report.ts'

export interface CaseInput {
  peer: 'odradek' | 'kafka'
  /** The running broker; undefined when the case is `alone` and starts its own. */
  broker: RunningBroker | undefined
  topic: string
  /** Multiplies the number of requests or records. */
  scale: number
  /** Says why figures are missing; the others count. */
  lacks(reason: string): void
}

export interface Case {
  fsync: boolean
  /** Starts a broker of its own. */
  alone?: boolean
  /** At most so many rounds, where one takes long. */
  rounds?: number
  run(input: CaseInput): Promise<Record<string, number>>
}

export interface Plan {
  benchmark: string
  cases: ReadonlyMap<string, Case>
  /** Names of cases, comma-separated; empty: all. */
  wanted: string
  rounds: number
  scale: number
  out: string
  /** While looking for something: only these. The run still fails for the missing one. */
  peers: readonly string[]
  /** Settings that both brokers get. */
  config?: Record<string, string>
  /** Brings a broker that just started to where it may be measured. */
  warm(broker: RunningBroker, fsync: boolean): Promise<void>
}

/** Prints and writes the figures; returns the exit code. */
export async function interleave(plan: Plan): Promise<number> {
  const wanted = plan.wanted === '' ? [...plan.cases.keys()] : plan.wanted.split(',')
  const unknown = wanted.filter(name => !plan.cases.has(name))
  if (unknown.length > 0) {
    process.stderr.write(`unknown case ${unknown.join(', ')}; there are ${[...plan.cases.keys()].join(', ')}\n`)
    return 2
  }
  const report = new Report(plan.benchmark, plan.scale)
  const failures: string[] = []
  await inTurn(plan, wanted, report, failures)
  report.print('odradek', 'kafka')
  failures.push(...report.missing(['odradek', 'kafka']))
  report.write(plan.out)
  process.stdout.write(`\nwritten to ${plan.out}\n`)
  for (const failure of failures) process.stderr.write(`failed: ${failure}\n`)
  return failures.length > 0 ? 1 : 0
}

async function inTurn(plan: Plan, wanted: readonly string[], report: Report, failures: string[]): Promise<void> {
  for (const fsync of [false, true]) {
    const chosen = wanted
      .map(name => [name, plan.cases.get(name) as Case] as const)
      .filter(([, one]) => one.fsync === fsync)
    if (chosen.length === 0) continue
    const brokers: RunningBroker[] = []
    try {
      if (chosen.some(([, one]) => one.alone !== true)) await startBoth(plan, fsync, brokers, report)
      for (const [name, one] of chosen) await measure(plan, name, one, brokers, report, failures)
    } finally {
      for (const broker of brokers) await broker.stop()
    }
  }
}

async function startBoth(plan: Plan, fsync: boolean, brokers: RunningBroker[], report: Report): Promise<void> {
  const config = plan.config ?? {}
  const starts = [['odradek', startOdradek, 21192] as const, ['kafka', startKafka, 21292] as const]
  for (const [peer, start, port] of starts) {
    if (!plan.peers.includes(peer)) continue
    const broker = await start({ port, fsync, config })
    brokers.push(broker)
    report.peers[`${broker.peer}, ${fsync ? 'fsync' : 'page cache'}`] = broker.effective
    await plan.warm(broker, fsync)
  }
}

/** Of an error's text, as a row's reason. */
export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return (text.split('\n', 1)[0] ?? '').slice(0, 200)
}

async function measure(
  plan: Plan,
  name: string,
  one: Case,
  brokers: readonly RunningBroker[],
  report: Report,
  failures: string[],
): Promise<void> {
  const mode = one.fsync ? 'fsync' : 'page cache'
  for (let round = 1; round <= Math.min(plan.rounds, one.rounds ?? plan.rounds); round++) {
    const order =
      one.alone === true ? (['odradek', 'kafka'] as const) : round % 2 === 1 ? brokers : [...brokers].reverse()
    for (const who of order) {
      if (typeof who === 'string' && !plan.peers.includes(who)) continue
      const peer = (typeof who === 'string' ? who : who.peer) as CaseInput['peer']
      const broker = typeof who === 'string' ? undefined : who
      try {
        const reasons: string[] = []
        const input = { peer, broker, topic: `${name}-${round}`, scale: plan.scale }
        const figures = await one.run({ ...input, lacks: reason => reasons.push(reason) })
        report.add({
          case: name,
          peer,
          mode,
          round,
          figures,
          ...(reasons[0] === undefined ? {} : { reason: reasons[0] }),
        })
      } catch (error) {
        const reason = firstLine(error)
        if (peer === 'odradek') failures.push(`${name}, ${peer}, round ${round}: ${reason}`)
        else report.add({ case: name, peer, mode, round, figures: {}, reason })
      }
      report.write(plan.out)
    }
  }
}
