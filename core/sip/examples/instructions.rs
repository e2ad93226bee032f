//! Work for callgrind to count: calls at a level of policy, or single stages. See `make instructions`.
//!
//! Everything that counts is done by a function of `counted`, named as its row of the record, and callgrind is told to
//! collect inside of these only: so neither start-up counts, nor what makes the next input of the last output.
//!
//! `instructions L1|L2|L3|stages TIMES`

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use ibcf_sip::{Border, Input, Now, Outputs};
use support::calls::{Calls, Kind, Level, Meter};
use support::stages::{STAGES, Stages};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [group, times] = arguments.as_slice() else { return ExitCode::FAILURE };
    let Ok(times) = times.parse() else { return ExitCode::FAILURE };
    if group == "stages" {
        let mut stages = Stages::new();
        assert_eq!(counted::STAGES.len(), STAGES.len(), "every stage is counted");
        for stage in counted::STAGES {
            (0..times).for_each(|_| stage(&mut stages));
        }
        return ExitCode::SUCCESS;
    }
    let Some(level) = Level::ALL.into_iter().find(|level| level.name() == group) else {
        return ExitCode::FAILURE;
    };
    Calls::new(level, times).round(times, &mut Counted);
    ExitCode::SUCCESS
}

/// Handles each input in the function of its kind.
struct Counted;

impl Meter for Counted {
    fn handle(&mut self, kind: Kind, border: &mut Border, input: Input<'_>, now: Now, out: &mut Outputs) {
        let handle = match kind {
            Kind::Invite => counted::invite,
            Kind::Trying => counted::trying,
            Kind::Ringing => counted::ringing,
            Kind::Answer => counted::answer,
            Kind::Ack => counted::ack,
            Kind::Bye => counted::bye,
            Kind::ByeAnswer => counted::bye_answer,
            Kind::Timers => counted::timers,
        };
        handle(border, input, now, out);
    }
}

/// What is counted: never inlined, and none like another, so that each is a function of its own in the profile.
mod counted {
    use std::hint::black_box;

    use super::{Border, Input, Now, Outputs, Stages};

    macro_rules! inputs {
        ($($name:ident)*) => {$(
            #[inline(never)]
            pub(super) fn $name(border: &mut Border, input: Input<'_>, now: Now, out: &mut Outputs) {
                black_box(stringify!($name));
                border.handle(input, now, out);
            }
        )*};
    }

    macro_rules! stages {
        ($($name:ident)*) => {
            $(
                #[inline(never)]
                fn $name(stages: &mut Stages) {
                    black_box(stringify!($name));
                    stages.$name();
                }
            )*

            pub(super) const STAGES: &[fn(&mut Stages)] = &[$($name),*];
        };
    }

    inputs!(invite trying ringing answer ack bye bye_answer timers);
    stages!(call_id parse_invite parse_response check typed_values admit transaction screen decide rewrite open_token);
}
