import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { xxh3 } from '../../../../src/coordinator/group/consumer/xxh3.ts'

const test = suite('xxh3')

/** Lengths around every change of method, and what the reference says of that many bytes of `sample`. */
const reference: readonly (readonly [length: number, hash: bigint])[] = [
  [0, 3244421341483603138n],
  [1, 16226181191752404715n],
  [2, 16431041812657241892n],
  [3, 6666321793830475030n],
  [4, 2616370236846142754n],
  [5, 8907763369785488808n],
  [7, 138728306335439795n],
  [8, 10866226742147667881n],
  [9, 5152637198995674261n],
  [12, 9870494386507371372n],
  [15, 3425568987058106551n],
  [16, 10465191977203804071n],
  [17, 3167990320673986461n],
  [31, 15267594626977849121n],
  [32, 6723939706187241158n],
  [33, 12795454688075896235n],
  [64, 1407486294599942051n],
  [65, 2046066673040820750n],
  [96, 16089433180022087629n],
  [97, 8427315719855081401n],
  [127, 13954363411196146418n],
  [128, 14139504545017913999n],
  [129, 9526037421581732658n],
  [143, 14510499996746037040n],
  [144, 15643232053240351154n],
  [145, 6710588762488311773n],
  [200, 8129684616570941470n],
  [239, 603629835587448144n],
  [240, 4326755725039977377n],
  [241, 13832561410273455503n],
  [255, 1669123142279563857n],
  [256, 13849697734189374458n],
  [257, 18415732624757899412n],
  [511, 16832521298314365219n],
  [512, 17464850276833544318n],
  [513, 15744410156960121164n],
  [1023, 6970291532372379219n],
  [1024, 3727354545940993313n],
  [1025, 12071495647715835675n],
  [1087, 1115593137760750182n],
  [1088, 16530946785003966630n],
  [1089, 16925551494538533109n],
  [1090, 8458019535519131922n],
  [2047, 10849232106832534497n],
  [2048, 16364882740958802206n],
  [2049, 2718730232363138968n],
  [2112, 14187873096967210375n],
  [2113, 993107747094004147n],
  [3000, 12865760064560860158n],
  [4096, 9736688536217351494n],
  [4097, 15656432654908943656n],
  [5000, 3961585312519169458n],
]

const sample = Uint8Array.from({ length: 5000 }, (_, index) => index * 7 + (index >> 8) * 13 + 1)

test('the hash is the reference one at every length where the method changes', () => {
  for (const [length, hash] of reference) assert.is(xxh3(sample.subarray(0, length)), hash, `${length} bytes`)
})

test('the hash does not depend on where in memory the bytes lie', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2500 }), fc.nat(16), (bytes, shift) => {
      const moved = new Uint8Array(bytes.length + shift)
      moved.set(bytes, shift)
      assert.is(xxh3(moved.subarray(shift)), xxh3(bytes))
    }),
    { numRuns: 50 },
  )
})

test.run()
