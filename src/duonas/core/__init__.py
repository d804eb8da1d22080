"""The vocabulary of duonas as types. No torch here: importing it takes milliseconds."""
