//! What is shown; nothing here fetches.
