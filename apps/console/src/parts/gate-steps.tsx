import type { GateView } from '@holdfast/api';
import { ShowAll, useBounded } from './bounded.tsx';
import { daysUntil, DueDate } from './due-date.tsx';
import { Person } from './person.tsx';

type Step = GateView['steps'][number];

/** What a person takes in at once. */
const SHOWN_STEPS = 8;

/** Who does what by when; what is late first, what can be done now next, what has a date last. */
export function GateSteps({ view: { steps, people, asOf } }: { view: GateView }) {
  const urgency = ({ due }: Step): number => (due === null ? 1 : daysUntil(due, asOf) < 0 ? 0 : 2);
  const bounded = useBounded(
    steps.toSorted((a, b) => urgency(a) - urgency(b) || (a.due ?? '').localeCompare(b.due ?? '')),
    SHOWN_STEPS,
  );
  if (steps.length === 0) return <p className="notice notice-good">✓ Nothing is left to do.</p>;
  return (
    <>
      <ul className="steps">
        {bounded.shown.map((step) => (
          <li key={`${step.what} ${step.who.join(' ')} ${step.command ?? ''}`} className="step">
            <span className="step-who">
              {step.who.map((id, at) => (
                <span key={id}>
                  {at === 0 ? null : ' or '}
                  <Person id={id} people={people} />
                </span>
              ))}
            </span>
            <span className="step-what">
              {step.what}
              {step.command === null ? null : <code className="breakable">{step.command}</code>}
            </span>
            <span className="step-due">
              {step.due === null ? <span className="quiet">now</span> : <DueDate date={step.due} asOf={asOf} />}
            </span>
          </li>
        ))}
      </ul>
      <ShowAll bounded={bounded} what="step" />
    </>
  );
}
