//! A face for everyone, made from the user's id: it stays the same when the name changes, and two
//! people of one name still look different.

use chat_types::id::UserId;
use leptos::prelude::*;

/// How large an avatar is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AvatarSize {
    /// Beside a name in a list.
    Small,
    /// Beside a message.
    #[default]
    Medium,
    /// In a profile.
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
    /// The face of a seed, the same everywhere and always.
    fn of(seed: &[u8]) -> Self {
        // FNV-1a spreads ids that differ in few bits.
        let hash = seed.iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
        let [low, high, ..] = hash.to_le_bytes();
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

/// What stands in the face: the first letter of the name, in upper case.
fn initial(name: &str) -> String {
    name.chars()
        .find(|c| c.is_alphanumeric())
        .or_else(|| name.chars().next())
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default()
}

/// A user's face. Decorative: the name stands beside it.
#[component]
pub fn Avatar(
    /// The name, for its first letter.
    #[prop(into)]
    name: Signal<String>,
    /// Whose face.
    id: UserId,
    /// How large.
    #[prop(optional)]
    size: AvatarSize,
) -> impl IntoView {
    let face = Face::of(id.as_uuid().as_bytes());
    view! { <Drawing class=move || face.class(size) shape=move || face.shape() name/> }
}

/// The place of a face before there is a user: the face itself depends on an id that only joining
/// gives.
#[component]
pub fn AvatarPreview(
    /// The name so far.
    #[prop(into)]
    name: Signal<String>,
) -> impl IntoView {
    view! { <Drawing class=|| "avatar avatar--large avatar--new".to_owned() shape=|| "" name/> }
}

#[component]
fn Drawing(
    class: impl Fn() -> String + Send + Sync + 'static,
    shape: impl Fn() -> &'static str + Send + Sync + 'static,
    name: Signal<String>,
) -> impl IntoView {
    view! {
        <svg class=class viewBox="0 0 40 40" aria-hidden="true">
            <rect class="avatar__ground" width="40" height="40"></rect>
            <path class="avatar__shape" d=shape></path>
            <text class="avatar__initial" x="20" y="20.5">
                {move || name.with(|name| initial(name))}
            </text>
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_face_depends_on_the_seed_alone() {
        assert_eq!(Face::of(b"mina"), Face::of(b"mina"));
    }

    #[test]
    fn every_tone_and_shape_is_used_and_exists() {
        let faces: Vec<_> = (0_u32..2_000).map(|n| Face::of(&n.to_be_bytes())).collect();
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
    fn the_initial_is_the_first_letter_in_upper_case() {
        assert_eq!(initial("mina"), "M");
        assert_eq!(initial("느긋한 고래"), "느");
        assert_eq!(initial("~*ann*~"), "A");
        assert_eq!(initial("🌊"), "🌊");
        assert_eq!(initial(""), "");
    }
}
