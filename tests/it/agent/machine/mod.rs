//! The machine of the agent in a simulated world, which checks every promise after every step.

mod exploration;
mod previews;
mod promises;
mod sim;
mod teeth;
