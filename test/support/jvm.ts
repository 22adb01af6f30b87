/**
 * A Java virtual machine that stays up while a test talks to it (test/clients/java/Jvm.java): Kafka's own programs one
 * after another without a start each, and Java consumers beside them. Commands are answered in order.
 */
import { kafkaJars } from './kafka.ts'
import { inRepository } from './paths.ts'
import { startProgram } from './process.ts'

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A Java consumer as it was a moment ago. */
export interface JavaMember {
  readonly name: string
  /** `topic-partition`, sorted. */
  readonly partitions: readonly string[]
  /** How often partitions were handed to it, an empty hand included. */
  readonly rebalances: number
  /** Class of the exception that ended it; empty while it lives. */
  readonly error: string
  readonly values: readonly string[]
}

export interface Jvm {
  /** One of Kafka's programs by class name, short or full, to its end. */
  tool(className: string, ...args: string[]): Promise<Answer>
  /** The same for one that is to succeed: what it printed on stdout. Rejects with all that it printed. */
  output(className: string, ...args: string[]): Promise<string>
  /** Values `from` .. `to` - 1 as text, in turn to each partition of a topic that exists. */
  produce(bootstrap: string, topic: string, partitions: number, from: number, to: number): Promise<void>
  /** A partition's folder as a broker opens it after a crash; its end offset. Fails when it doesn't open. */
  open(folder: string, recoveryPoint: number, logStart: number): Promise<number>
  /**
   * A consumer that polls and commits until it is stopped; `subscription` is topics (`a,b`) or a pattern (`re:a.*`).
   */
  start(name: string, subscription: string, config: Readonly<Record<string, string | number>>): Promise<void>
  members(): Promise<JavaMember[]>
  /** Closes a consumer; `remain`: without leaving its group. */
  stop(name: string, how?: 'stop' | 'remain'): Promise<void>
  close(): Promise<void>
}

const packages: Record<string, string> = {
  ConsoleConsumer: 'org.apache.kafka.tools.consumer',
  ConsumerGroupCommand: 'org.apache.kafka.tools.consumer.group',
  ReassignPartitionsCommand: 'org.apache.kafka.tools.reassign',
}

const answerEnd = /\u0004(-?\d+)\n/

/** A Java program that answers commands in order. */
export interface Conversation {
  command(...words: string[]): Promise<Answer>
  /** What it printed on stdout; rejects when it failed. */
  succeed(...words: string[]): Promise<string>
  close(): Promise<void>
}

/** Starts the program in `source`, a path in this repository. */
export const converse = (source: string): Conversation => {
  const flags = ['-Xmx512M', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true']
  const args = [...flags, '-cp', `${kafkaJars()}/*`, inRepository(source)]
  const running = startProgram('java', args, { keepInput: true })
  let unread = ''
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined
  let last: Promise<unknown> = Promise.resolve()

  running.child.stdout?.on('data', (chunk: string) => {
    unread += chunk
    const end = unread.match(answerEnd)
    if (end?.index === undefined) return
    const [stdout = '', stderr = ''] = unread.slice(0, end.index).split('\u0003')
    unread = unread.slice(end.index + end[0].length)
    waiting?.resolve({ code: Number(end[1]), stdout, stderr })
  })
  void running.finished.then(({ stderr }) => waiting?.reject(new Error(`the Java machine ended:\n${stderr}`)))

  const answer = (words: readonly string[]): Promise<Answer> =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject }
      running.child.stdin?.write(`${words.join('\t')}\n`)
    })
  const command = (...words: string[]): Promise<Answer> => {
    const next = last.then(() => answer(words))
    last = next.catch(() => {})
    return next
  }
  return {
    command,
    async succeed(...words) {
      const { code, stdout, stderr } = await command(...words)
      if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
      return stdout
    },
    async close() {
      running.child.stdin?.end()
      await running.finished
    },
  }
}

export const startJvm = (): Jvm => {
  const { command, succeed, close } = converse('test/clients/java/Jvm.java')
  const full = (name: string) => (name.includes('.') ? name : `${packages[name] ?? 'org.apache.kafka.tools'}.${name}`)
  return {
    tool: (name, ...args) => command('tool', full(name), ...args),
    output: (name, ...args) => succeed('tool', full(name), ...args),
    async produce(bootstrap, topic, partitions, from, to) {
      await succeed('produce', bootstrap, topic, `${partitions}`, `${from}`, `${to}`)
    },
    async open(folder, recoveryPoint, logStart) {
      return Number(await succeed('open', folder, `${recoveryPoint}`, `${logStart}`))
    },
    async start(name, subscription, config) {
      await succeed('start', name, subscription, ...Object.entries(config).map(([key, value]) => `${key}=${value}`))
    },
    async members() {
      const lines = (await succeed('states')).split('\n').filter(line => line !== '')
      return lines.map(line => {
        const [name = '', partitions = '', rebalances = '', error = '', values = ''] = line.split('\t')
        const words = (text: string, separator: string) => text.split(separator).filter(word => word !== '')
        return {
          ...{ name, error, rebalances: Number(rebalances) },
          ...{ partitions: words(partitions, ','), values: words(values, ' ') },
        }
      })
    },
    async stop(name, how = 'stop') {
      await succeed(how, name)
    },
    close,
  }
}
