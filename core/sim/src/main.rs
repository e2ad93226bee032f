//! `ibcf-sim`: plays calls through the border on a virtual clock, and checks that it keeps its promises.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ibcf_sim::network::Conditions;
use ibcf_sim::random::Random;
use ibcf_sim::world::Setup;
use ibcf_sim::{play, replay, split};

const USAGE: &str =
    "usage: ibcf-sim [--seed N] [--calls N] [--loss P] [--duplication P] [--reordering P] [--calm 1] [--call N]

  --seed N          decides everything; from the clock unless given
  --calls N         how many calls, 10000 unless given; every 1000 of them are a run with the next seed
  --loss P          share of datagrams that never arrive, 0 to 1; drawn from the seed unless given
  --duplication P   share of datagrams that arrive twice
  --reordering P    share of datagrams that are overtaken
  --calm 1          nothing but the network fails: no crash, no reload, no narrow limit
  --call N          show the ladder of this call of the first run";

struct Arguments {
    setup: Setup,
    shown: Option<u64>,
}

fn main() -> ExitCode {
    match arguments(std::env::args().skip(1)) {
        Ok(Some(arguments)) => simulate(&arguments),
        Ok(None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("{fault}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn simulate(arguments: &Arguments) -> ExitCode {
    let begin = Instant::now();
    let setups = split(arguments.setup);
    if let (Some(call), Some(first)) = (arguments.shown, setups.first()) {
        match replay(*first, call) {
            Ok(report) => {
                println!("{}", report.ladder.unwrap_or_else(|| format!("there is no call {call}\n")));
            }
            Err(error) => eprintln!("{error}"),
        }
    }
    let summary = match play(&setups) {
        Ok(summary) => summary,
        Err(error) => {
            eprintln!("the simulator's own snapshot is refused: {error}");
            return ExitCode::FAILURE;
        }
    };
    for fault in &summary.faults {
        println!("{fault}");
    }
    let outcomes: Vec<_> =
        summary.outcomes.iter().map(|(outcome, calls)| format!("{outcome} {calls}")).collect();
    println!("{}", outcomes.join(", "));
    println!(
        "seed {}: {} calls in {} runs, {} messages in, {} out, {} runs with faults, {:.1} s",
        arguments.setup.seed,
        summary.calls,
        setups.len(),
        summary.received,
        summary.sent,
        summary.faults.len(),
        begin.elapsed().as_secs_f64(),
    );
    if summary.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut setup = Setup::new(seed_from_clock(), 10_000);
    let (mut loss, mut duplication, mut reordering, mut shown) = (None, None, None, None);
    while let Some(word) = words.next() {
        if word == "--help" || word == "-h" {
            return Ok(None);
        }
        let value = words.next().ok_or_else(|| format!("{word}: a value is missing"))?;
        match word.as_str() {
            "--seed" => setup.seed = number(&word, &value)?,
            "--calls" => setup.calls = number(&word, &value)?,
            "--loss" => loss = Some(share(&word, &value)?),
            "--duplication" => duplication = Some(share(&word, &value)?),
            "--reordering" => reordering = Some(share(&word, &value)?),
            "--calm" => setup.is_calm = number(&word, &value)? > 0,
            "--call" => shown = Some(number(&word, &value)?),
            _ => return Err(format!("{word}: unknown option")),
        }
    }
    if loss.or(duplication).or(reordering).is_some() {
        let drawn = Conditions::draw(&mut Random::new(setup.seed, 1));
        setup.conditions = Some(Conditions {
            loss: loss.unwrap_or(drawn.loss),
            duplication: duplication.unwrap_or(drawn.duplication),
            reordering: reordering.unwrap_or(drawn.reordering),
            ..drawn
        });
    }
    Ok(Some(Arguments { setup, shown }))
}

fn number(word: &str, value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("{word} {value}: give a whole number"))
}

fn share(word: &str, value: &str) -> Result<f64, String> {
    let share: f64 = value.parse().map_err(|_| format!("{word} {value}: give a share from 0 to 1"))?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(format!("{word} {value}: give a share from 0 to 1"))
    }
}

fn seed_from_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() % 1_000_000_000)
}
