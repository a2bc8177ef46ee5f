"""The one writer: takes events and commands in order, steps the floor, hands its effects to the shells."""
