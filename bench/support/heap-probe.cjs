/**
 * Loaded into a broker on Node before everything else: at SIGUSR2 it collects garbage, and writes what is left of the
 * heap and what the process has beside it, in bytes, to the file that ODRADEK_BENCH_HEAP names.
 */
const { renameSync, writeFileSync } = require('node:fs')
const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')

const path = process.env.ODRADEK_BENCH_HEAP

process.on('SIGUSR2', () => {
  const { rss, heapTotal } = process.memoryUsage()
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  writeFileSync(
    `${path}.new`,
    JSON.stringify({ heapBytes: process.memoryUsage().heapUsed, otherBytes: rss - heapTotal }),
  )
  renameSync(`${path}.new`, path)
})
