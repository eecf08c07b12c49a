//! A face for everyone, made from the name: who is about to join sees the face that others will see.
//! No two users have names that look alike, so a face tells people apart as well as the name does.

use leptos::prelude::*;

/// How large an avatar is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AvatarSize {
    /// Beside a name in a list.
    Small,
    /// Beside a message.
    #[default]
    Medium,
    /// Beside the name that one is about to take.
    Large,
}

/// The look of one face.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Face {
    tone: u8,
    shape: u8,
}

/// Tones in `avatar.css`.
const TONES: u8 = 10;
const SHAPES: [&str; 6] = [
    "M18 9a13 13 0 1 0 26 0 13 13 0 1 0-26 0Z",
    "M0 26 40 12v28H0Z",
    "M0 0h20v40H0Z",
    "M0 42a20 20 0 1 0 40 0 20 20 0 1 0-40 0Z",
    "M0 0h40L0 40Z",
    "M-13 34a17 17 0 1 0 34 0 17 17 0 1 0-34 0Z",
];

impl Face {
    /// The face of a name, the same everywhere and always.
    fn of(name: &str) -> Self {
        // FNV-1a; its low bits alone would give names that differ in one letter alike faces.
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let [low, high, ..] = (hash ^ (hash >> 15)).to_le_bytes();
        Self {
            tone: low % TONES,
            shape: high % 6,
        }
    }

    fn class(self, size: AvatarSize) -> String {
        let size = match size {
            AvatarSize::Small => " avatar--small",
            AvatarSize::Medium => "",
            AvatarSize::Large => " avatar--large",
        };
        format!("avatar avatar--tone-{}{size}", self.tone)
    }

    fn shape(self) -> &'static str {
        SHAPES
            .get(usize::from(self.shape))
            .copied()
            .unwrap_or_default()
    }
}

/// What stands in the face: the first letter of the name, which the style shows in upper case.
fn initial(name: &str) -> String {
    name.chars()
        .find(|c| c.is_alphanumeric())
        .or_else(|| name.chars().next())
        .map(String::from)
        .unwrap_or_default()
}

/// The face of a name. Decorative: the name stands beside it.
#[component]
pub fn Avatar(
    /// The name.
    #[prop(into)]
    name: Signal<String>,
    /// How large.
    #[prop(optional)]
    size: AvatarSize,
) -> impl IntoView {
    let face = move || name.with(|name| Face::of(name.trim()));
    view! {
        <svg class=move || face().class(size) viewBox="0 0 40 40" aria-hidden="true">
            <rect class="avatar__ground" width="40" height="40"></rect>
            <path class="avatar__shape" d=move || face().shape()></path>
            <text class="avatar__initial" x="20" y="20.5">
                {move || name.with(|name| initial(name))}
            </text>
        </svg>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_face_depends_on_the_name_alone() {
        assert_eq!(Face::of("mina"), Face::of("mina"));
        assert_ne!(Face::of("mina"), Face::of("jun"));
    }

    #[test]
    fn every_tone_and_shape_is_used_and_exists() {
        let faces: Vec<_> = (0..2_000)
            .map(|n| Face::of(&format!("느긋한 고래 {n}")))
            .collect();
        for tone in 0..TONES {
            assert!(faces.iter().any(|face| face.tone == tone), "tone {tone}");
        }
        for shape in 0..6 {
            assert!(
                faces.iter().any(|face| face.shape == shape),
                "shape {shape}"
            );
        }
        assert!(faces.iter().all(|face| !face.shape().is_empty()));
    }

    #[test]
    fn the_initial_is_the_first_letter() {
        assert_eq!(initial("mina"), "m");
        assert_eq!(initial("느긋한 고래"), "느");
        assert_eq!(initial("~*ann*~"), "a");
        assert_eq!(initial("🌊"), "🌊");
        assert_eq!(initial(""), "");
    }
}
