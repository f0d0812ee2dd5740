import { describeChangeJournal } from './conformance/index.ts';
import { memoryJournal } from './memory-journal.ts';

describeChangeJournal('in memory', async () => memoryJournal());
