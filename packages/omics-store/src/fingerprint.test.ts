import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { OmicsStoreError } from "./errors.ts";
import { farmFingerprint } from "./fingerprint.ts";
import { farmFingerprintIds } from "./fingerprint-ids.ts";

// Values that BigQuery's documentation and a run of the reference library give.
const golden: [string, bigint][] = [
  ["1footrue", -1541654101129638711n],
  ["2applefalse", 2794438866806483259n],
  ["3true", -4880158226897771312n],
  ["0", -3247774798456978881n],
  ["1", -9142586270102516767n],
  ["2", 6920640749119438759n],
  ["10", -100227312062044754n],
  ["123", -3222588021317909685n],
  ["9999", -1824621583592127787n],
  ["10000", -3341837946969235301n],
  ["123456", 7773179648686038998n],
  ["12345678", 3430003927990384362n],
  ["48033450", 2187523813018107211n],
  ["1384010152", -2499665691457602225n],
  ["9223372036854775807", -5706910540796489297n],
];

test("fingerprints equal BigQuery's FARM_FINGERPRINT", () => {
  for (const [text, expected] of golden) assert.equal(farmFingerprint(text), expected, text);
});

test("every branch of the hash equals the reference library, long inputs included", () => {
  // pyfarmhash 0.4: fingerprint64(bytes((i * 7 + 3) % 256 for i in range(n)))
  const byLength: [number, bigint][] = [
    [0, 11160318154034397263n],
    [1, 13745158429558087051n],
    [2, 1655114877597445365n],
    [3, 4662423180930907492n],
    [4, 17566270577251613586n],
    [7, 5759834791111993764n],
    [8, 907454142650066470n],
    [15, 3216519055487487771n],
    [16, 9140634717936656744n],
    [17, 14506534093795057959n],
    [31, 13644964512845808587n],
    [32, 11907377154618496232n],
    [33, 14001582926318596329n],
    [47, 13640257060010585822n],
    [63, 10827710408787052188n],
    [64, 389040666157116578n],
    [65, 8638051931306504420n],
    [100, 11391788667801836296n],
    [127, 14601120872369961854n],
    [128, 7379187116787024497n],
    [129, 10961879714037014659n],
    [191, 12790204594742798264n],
    [192, 4590343427702585127n],
    [193, 11103473870963012278n],
    [1000, 16150330943325068364n],
  ];
  for (const [length, unsigned] of byLength) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + 3) % 256);
    assert.equal(farmFingerprint(bytes), BigInt.asIntN(64, unsigned), `length ${length}`);
  }
});

test("ids 0..9 are dealt in the documented order", () => {
  const fingers = farmFingerprintIds(
    Float64Array.from({ length: 10 }, (_, i) => i),
    0,
  );
  const order = [...fingers.keys()].sort((a, b) => (fingers[a]! < fingers[b]! ? -1 : 1));
  assert.deepEqual(order, [1, 7, 8, 3, 4, 0, 6, 5, 2, 9]);
});

test("the fast path for ids equals the general one for every number of digits, sign and seed", () => {
  const id = fc
    .integer({ min: 1, max: 16 })
    .chain((digits) => fc.integer({ min: 0, max: Math.min(10 ** digits, Number.MAX_SAFE_INTEGER) }));
  fc.assert(
    fc.property(fc.array(id, { minLength: 1, maxLength: 50 }), fc.maxSafeInteger(), (ids, seed) => {
      const expected = ids.map((i) => farmFingerprint((BigInt(i) + BigInt(seed)).toString()));
      assert.deepEqual([...farmFingerprintIds(Float64Array.from(ids), seed)], expected);
      assert.deepEqual([...farmFingerprintIds(BigInt64Array.from(ids, BigInt), seed)], expected);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("ids and seeds that are no integers are refused", () => {
  const tagged = (tag: string) => (error: unknown) => error instanceof OmicsStoreError && error.tag === tag;
  assert.throws(() => farmFingerprintIds(Float64Array.of(1.5), 0), tagged("id_out_of_range"));
  assert.throws(() => farmFingerprintIds(Float64Array.of(1), 0.5), tagged("invalid_request"));
  assert.throws(() => farmFingerprintIds(BigInt64Array.of(2n ** 63n - 1n), 1), tagged("id_out_of_range"));
});
