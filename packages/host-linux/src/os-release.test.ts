import assert from 'node:assert/strict';
import { it } from 'node:test';

import { parseOsRelease } from './os-release.ts';

const cases: { name: string; text: string; want: { distribution: string; version: string } }[] = [
  {
    name: 'Debian',
    text: 'ID=debian\nVERSION_ID="12"\nVERSION="12 (bookworm)"\n',
    want: { distribution: 'debian', version: '12' },
  },
  {
    name: 'single quotes',
    text: "ID='nixos'\nVERSION_ID='26.05'\n",
    want: { distribution: 'nixos', version: '26.05' },
  },
  { name: 'no version', text: 'ID=arch\n', want: { distribution: 'arch', version: 'unknown' } },
  { name: 'an empty file', text: '', want: { distribution: 'unknown', version: 'unknown' } },
  {
    name: 'hostile values',
    text: 'ID=$(id)\nVERSION_ID="<b>"\n',
    want: { distribution: 'unknown', version: 'unknown' },
  },
];
for (const { name, text, want } of cases) it(`C-02: ${name}`, () => assert.deepEqual(parseOsRelease(text), want));
